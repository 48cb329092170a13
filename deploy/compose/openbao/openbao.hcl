// One node that unseals itself with OPENBAO_SEAL_KEY and sets itself up on its first start (the stanzas `initialize`), so
// that neither a root token nor recovery keys lie anywhere. What Mayfly needs of it is in set-up.sh.
ui = false
api_addr = "https://openbao:8200"
cluster_addr = "https://openbao:8201"

storage "raft" {
  path = "/openbao/file"
  node_id = "openbao"
}

listener "tcp" {
  address = "0.0.0.0:8200"
  tls_cert_file = "/openbao/config/server.pem"
  tls_key_file = "/openbao/config/server.pem"
}

seal "static" {
  current_key_id = "compose-1"
  current_key = "env://OPENBAO_SEAL_KEY"
}

audit "file" "stdout" {
  options {
    file_path = "stdout"
  }
}

initialize "operator" {
  request "login" {
    operation = "update"
    path = "sys/auth/userpass"
    data = { type = "userpass" }
  }
  request "policy" {
    operation = "update"
    path = "sys/policies/acl/operator"
    data = {
      policy = "path \"*\" { capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\", \"sudo\"] }"
    }
  }
  request "person" {
    operation = "update"
    path = "auth/userpass/users/operator"
    data = {
      password = {
        eval_type = "string"
        eval_source = "env"
        env_var = "OPENBAO_OPERATOR_PASSWORD"
        require_present = true
      }
      token_policies = ["operator"]
      token_ttl = "15m"
    }
  }
}
