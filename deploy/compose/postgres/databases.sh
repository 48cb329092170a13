#!/bin/sh
# On the first start of an empty server: Mayfly's database with its two roles, and the warehouse that OpenBao makes users for.
set -eu
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d postgres \
  -v owner_password="$MAYFLY_OWNER_PASSWORD" -v service_password="$MAYFLY_SERVICE_PASSWORD" \
  -v openbao_password="$OPENBAO_DB_PASSWORD" <<'SQL'
-- The owner of the tables runs the migrations; what serves can change no history (docs/adr/0007).
CREATE ROLE mayfly LOGIN PASSWORD :'owner_password';
CREATE ROLE mayfly_service LOGIN PASSWORD :'service_password';
CREATE DATABASE mayfly OWNER mayfly;

CREATE ROLE warehouse_writers NOLOGIN;
CREATE ROLE openbao LOGIN CREATEROLE PASSWORD :'openbao_password';
GRANT warehouse_writers TO openbao WITH ADMIN OPTION;
-- ends the sessions of the users that it drops
GRANT pg_signal_backend TO openbao;
CREATE DATABASE warehouse;

REVOKE ALL ON DATABASE mayfly, warehouse, postgres, template1 FROM PUBLIC;
GRANT CONNECT ON DATABASE mayfly TO mayfly_service;
GRANT CONNECT ON DATABASE warehouse TO openbao, warehouse_writers;

\connect mayfly
ALTER SCHEMA public OWNER TO mayfly;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

\connect warehouse
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA sales;
CREATE TABLE sales.orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer text NOT NULL,
  amount numeric(12, 2) NOT NULL,
  placed_at timestamptz NOT NULL DEFAULT now()
);
GRANT USAGE ON SCHEMA sales TO warehouse_writers;
GRANT SELECT, INSERT, UPDATE ON sales.orders TO warehouse_writers;
SQL
