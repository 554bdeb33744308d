-- Runs once, when the data folder is created. Creates a user that owns docmill's database and nothing else, and a user
-- `reader` for queries. The passwords come from the environment.
\getenv store_password STORE_PASSWORD
\getenv reader_password READER_PASSWORD
CREATE ROLE docmill LOGIN PASSWORD :'store_password';
CREATE ROLE reader LOGIN PASSWORD :'reader_password';
-- UTF-8 whatever the machine's locale is, and a sort order that does not change when the C library is upgraded.
CREATE DATABASE docmill OWNER docmill TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8';
REVOKE CONNECT, TEMPORARY ON DATABASE docmill FROM PUBLIC;
GRANT CONNECT ON DATABASE docmill TO reader;
ALTER ROLE reader SET default_transaction_read_only = on;
-- `docmill sql` runs SQL that users wrote, so it runs as `reader`.
GRANT reader TO docmill;
\connect docmill
ALTER SCHEMA public OWNER TO docmill;
GRANT USAGE ON SCHEMA public TO reader;
ALTER DEFAULT PRIVILEGES FOR ROLE docmill IN SCHEMA public GRANT SELECT ON TABLES TO reader;
