import { APPLY_CODE } from './apply-ddl.ts'
import { EXAMINE_CODE } from './examine-ddl.ts'
import { JOURNAL_CODE } from './journal-ddl.ts'
import { LEASE_CODE } from './lease-ddl.ts'
import { LIVE_CODE } from './live-code-ddl.ts'
import { OUTBOX_CODE, OUTBOX_TABLES } from './outbox-ddl.ts'
import { UPGRADES } from './own-format.ts'

/** The tables of the first format that was ever released, and never to be edited. */
export const FIRST_TABLES = `
  CREATE SCHEMA tidemark;
  CREATE TABLE tidemark.owner (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    format int NOT NULL, user_id text NOT NULL, client_id text NOT NULL, counter bigint NOT NULL DEFAULT 0
  );
  CREATE TABLE tidemark.copy (
    place text PRIMARY KEY, stage text NOT NULL, epoch text NOT NULL, cursor text NOT NULL, rows bigint NOT NULL,
    version int NOT NULL, hash text NOT NULL, definition text NOT NULL
  );
  CREATE TABLE tidemark.audience (
    place text NOT NULL, audience text NOT NULL, load_order int NOT NULL,
    start text NOT NULL, fence text NOT NULL, snapshot text NOT NULL, manifest text,
    PRIMARY KEY (place, audience)
  );
  CREATE TABLE tidemark.loaded_chunk (
    audience text NOT NULL, table_id text NOT NULL, position int NOT NULL,
    PRIMARY KEY (audience, table_id, position)
  );
  CREATE TABLE tidemark.part (
    position int NOT NULL, piece int NOT NULL, whole boolean NOT NULL, content text NOT NULL,
    PRIMARY KEY (position, piece)
  );
  ALTER TABLE tidemark.part ALTER content SET STORAGE EXTERNAL;
  ${OUTBOX_TABLES}
`

/** Functions, views and triggers: always this library's. `OWN_CODE_DIGEST` is the digest of this text. */
export const OWN_CODE = `
  CREATE OR REPLACE VIEW tidemark.replica AS SELECT epoch, cursor, stage, rows FROM tidemark.copy WHERE place = 'live';
  ${OUTBOX_CODE}
  ${APPLY_CODE}
  ${LEASE_CODE}
  ${JOURNAL_CODE}
  ${EXAMINE_CODE}
  ${LIVE_CODE}
`

/** The statements that make the schema of a new database; the image of one is as old as this text. */
export const OWN_SCHEMA = [FIRST_TABLES, ...UPGRADES, OWN_CODE].join('\n')
