import { expect, test } from 'vitest'
import { channelName } from './channel-name.ts'

test('a channel has the name that Postgres gives it', () => {
  expect(['Done', '"Done"', 'done'].map(channelName)).toEqual(['done', 'Done', 'done'])
})
