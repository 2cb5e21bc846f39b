import { expect, test } from 'vitest'
import { deploymentName, nextPlace, outlived, placesAmong } from './place-names.ts'

const DAY = 86_400_000
const NOW = 1_900_000_000_000

test('the newest of a storage’s databases is in force, and other names are not its own', () => {
  const names = [
    `notes.${NOW}`,
    'notes',
    'notes.lock',
    'notes.journal',
    `notes2.${NOW}`,
    `notes.${NOW - DAY}`,
    'notes.5',
  ]
  expect(placesAmong('notes', names).map(({ name }) => name)).toEqual(['notes', `notes.${NOW - DAY}`, `notes.${NOW}`])
  expect(placesAmong('notes', ['notes2', '.', 'notes.lock'])).toEqual([])
})

test('a next place is found again after all before it', () => {
  const next = nextPlace('notes', NOW)
  expect(placesAmong('notes', [next.name, 'notes']).at(-1)).toEqual(next)
})

test('what was put aside goes once it has been aside for so long, and never what is in force', () => {
  const places = placesAmong('notes', ['notes', `notes.${NOW - 40 * DAY}`, `notes.${NOW - 3 * DAY}`])
  expect(outlived(places, NOW, 30 * DAY).map(({ name }) => name)).toEqual(['notes'])
  expect(outlived(places, NOW + 100 * DAY, 30 * DAY)).toHaveLength(2)
  expect(outlived(placesAmong('notes', ['notes']), NOW, 0)).toEqual([])
})

test.each([
  ['http://localhost:8787', 'localhost-8787'],
  ['https://app.example/base/', 'app.example-base'],
  ['https://[::1]:80/a b?c', '-1-80-a-b-c'],
])('the deployment at %s is named %s', (url, name) => {
  expect(deploymentName(url)).toBe(name)
})
