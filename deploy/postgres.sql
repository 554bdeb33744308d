-- Run once, when the data folder is new: a user who owns docmill's database and nothing else, and a reader for
-- those who query results. The passwords come from the environment.
\getenv store_password STORE_PASSWORD
\getenv reader_password READER_PASSWORD
CREATE ROLE docmill LOGIN PASSWORD :'store_password';
CREATE ROLE reader LOGIN PASSWORD :'reader_password';
-- Texts are UTF-8 whatever the machine's locale is, and their order outlives an upgrade of the C library.
CREATE DATABASE docmill OWNER docmill TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8';
REVOKE CONNECT, TEMPORARY ON DATABASE docmill FROM PUBLIC;
GRANT CONNECT ON DATABASE docmill TO reader;
ALTER ROLE reader SET default_transaction_read_only = on;
-- `docmill sql` runs as the reader: what it runs is somebody's own.
GRANT reader TO docmill;
\connect docmill
ALTER SCHEMA public OWNER TO docmill;
GRANT USAGE ON SCHEMA public TO reader;
ALTER DEFAULT PRIVILEGES FOR ROLE docmill IN SCHEMA public GRANT SELECT ON TABLES TO reader;
