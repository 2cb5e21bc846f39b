import { expect, test } from 'vitest'
import { conversionOf } from './conversion.ts'

test.each([
  ['integer', 'bigint', true, false],
  ['bigint', 'integer', false, false],
  ['integer', 'numeric', true, false],
  ['integer', 'numeric(4,2)', false, false],
  ['numeric(10,2)', 'numeric(12,2)', true, false],
  ['numeric(10,2)', 'numeric(12,6)', false, false],
  ['character varying(5)', 'character varying(50)', true, false],
  ['character varying(50)', 'character varying(5)', false, false],
  ['character varying(5)', 'text', true, false],
  ['character(5)', 'text', false, false],
  ['integer', 'text', true, false],
  ['text', 'uuid', false, true],
  ['double precision', 'integer', false, false],
  ['timestamp(3) with time zone', 'timestamp with time zone', true, false],
  ['timestamp with time zone', 'date', false, false],
  ['jsonb', 'json', false, false],
  ['boolean', 'integer', false, true],
])('CLI-R21 %s to %s keeps all: %s, is cast explicitly: %s', (from, to, keepsAll, explicit) => {
  expect(conversionOf(from, to)).toEqual({ keepsAll, explicit })
})
