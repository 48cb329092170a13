/**
 * The words that errors and warnings of Vault, of OpenBao, of their engines and of database drivers are made of, in
 * lower case. None of them is a name, and no secret that deserves the name is made of them alone.
 */
const TEXT = `
  a about above abort aborted accept accepted access accessor account action active actual add added address admin after
  again all allow allowed already also an and another any api app application approle are argument arguments as assume at
  attempt attempted attempting attribute audience auth authenticate authenticated authentication authority authorization
  authorize authorized auto available aws azure backend bad batch be because been before being below between bind
  blocked body both bound broken but by cache call called caller can canceled cancelled cannot capped certificate change
  changed channel check checking claim claims cleanup client clock closed cluster code column command commit common
  complete completed condition config configuration configure configured conflict connect connected connecting connection
  connections constraint contain contains context could count create created creating creation credential credentials
  current data database date deadline decode decoding default delete deleted deleting denied deny deprecated desired did
  direct disabled disconnected dial does domain done down driver drop dropped due duplicate duration dynamic each effective
  either empty enabled encode encountered encrypt encrypted end ended endpoint engine engines enough entity entry
  environment eof error errors escape exceed exceeded exceeds execute executing exist existing exists exit exited expected
  expiration expire expired expires explicit external extra fail failed failing fails failure fatal fetch fetching field
  fields file find first for forbidden force forced format forward found from full function gateway generate generated
  generating generation get getting given global go got grant granted group grpc had handle handler handshake has have
  health host hostname identifier identity idle if ignored impossible in inactive incorrect index information initialize
  initialized inner input insert insufficient integer internal into invalid io irrevocable is issue issued issuer issuing it
  its json jwt key keys kubernetes last later ldap leader lease leases left length less lifetime limit limited limits list
  local locate lock locked login long longer longest lookup lost made malformed marshal match matched matches matching max
  maximum may member memory message metadata method min minimum mismatch missing mode model more most mount mounted must
  name named namespace native need needed needs network new next nil no node nodes non none nor not nothing null number
  object of off on once one only open operation option options or order origin orphan other out outside over owned owner
  packet parameter parameters parent parse parsed parsing part party password path payload peer pending per performing
  period periodic permission permissions permitted persist pipe pki plugin policies policy pool port prefix prepare
  present prevent previous private privilege privileges problem process processing provide provided provider public
  query queue queued quota range rate reach reached read reading ready reason received record recovery redirect refused
  register registered reject rejected relation remote remove removed renew renewable renewal renewed renewing replica
  replication request requested requests require required requires reserved reset resolve resource response restore
  result retry return returned returning revocation revoke revoked revoking right rights role roles root rotate rotation
  route row rows rule run running same schema scheme seal sealed seconds secret secrets select send sent sequence serial
  server service session sessions set setting several should shut shutting sign signature signed signing since size slots
  some specified sql ssh ssl standby start starting state statement statements static status still stopped storage store
  string subject subset such super superuser support supported syntax system table tcp temporarily temporary than that the
  their them then there these they this tidy time timed timeout timeouts times tls to token tokens too transaction transit
  transport tried try trying ttl type unable unauthorized under unexpected unhandled uninitialized unique unknown unmarshal
  unreachable unreadable unsealed unset unsupported until unused up update updated updating usage use used user username
  users using valid validate validated validating validation value values verification verified verify verifying version
  violates violation wait waiting was were when where which while who will with within without worker would wrap wrapped
  write writing wrong yet you your zero`;

export const SERVER_WORDS: ReadonlySet<string> = new Set(TEXT.trim().split(/\s+/));
