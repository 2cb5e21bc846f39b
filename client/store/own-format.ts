/** The first format that was ever released. */
export const FIRST_FORMAT = 3

/** Each makes the next format of the one before it, and is never edited once it is released. */
export const UPGRADES: readonly string[] = [
  // 4: the code by which the functions and triggers were made.
  `ALTER TABLE tidemark.owner ADD code text NOT NULL DEFAULT ''`,
  // 5: the tab that made a mutation, and the call by which it did.
  `ALTER TABLE tidemark.mutation ADD tab text, ADD call text;
   CREATE INDEX mutation_call ON tidemark.mutation (call) WHERE call IS NOT NULL`,
  // 6: the version in which a mutation from the journal is said; null where it is that of the copy.
  `ALTER TABLE tidemark.mutation ADD said text`,
  // 7: the keys of sequences that this replica leased; one that was given to a row is never given to another. An action that is
  // run again gets those that it took.
  `CREATE TABLE tidemark.leased_key (
     sequence text NOT NULL, key bigint NOT NULL, taken boolean NOT NULL DEFAULT false, taken_by bigint, PRIMARY KEY (sequence, key));
   CREATE INDEX leased_key_of_mutation ON tidemark.leased_key (taken_by) WHERE taken_by IS NOT NULL`,
  // 8: whether somebody has it open, or ended without closing it, and when its rows were last compared with the server's;
  // the keys that an action took by itself, by sequence and in its order, as JSON; and tables that are otherwise than in the
  // definition beside, one a line, of which the last counts.
  `ALTER TABLE tidemark.owner ADD open boolean NOT NULL DEFAULT false, ADD compared_at timestamptz;
    ALTER TABLE tidemark.mutation ADD keys text;
    ALTER TABLE tidemark.copy ADD changed text NOT NULL DEFAULT ''`,
]

/** The format that this library writes. */
export const FORMAT = FIRST_FORMAT + UPGRADES.length
