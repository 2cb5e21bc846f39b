import { describe, expect, test } from 'vitest'
import { FORMAT } from '../../store/own-format.ts'
import { type Bundle, bundleOf, compareBundles, leadsBetter, TABS_PROTOCOL } from './compare-bundles.ts'

const base: Bundle = { tabs: 1, store: 5, migration: '0002_titles' }

describe('TAB-R6 the newest bundle leads', () => {
  test('TAB-R6 a bundle names what tabs say, the format of the store and the last migration', () => {
    expect(bundleOf({ migration: '0001_first' })).toEqual({
      tabs: TABS_PROTOCOL,
      store: FORMAT,
      migration: '0001_first',
    })
    expect(bundleOf({ migration: null }).migration).toBeNull()
    expect(bundleOf({}).migration).toBeNull()
  })

  test.each<[string, Bundle, Bundle, number]>([
    ['the same', base, { ...base }, 0],
    ['a later migration', base, { ...base, migration: '0003_labels' }, -1],
    ['a migration against none', base, { ...base, migration: null }, 1],
    ['none on both sides', { ...base, migration: null }, { ...base, migration: null }, 0],
    ['a newer store with an older migration', { ...base, store: 6, migration: '0001_first' }, base, 1],
    ['a newer protocol of tabs with an older store', { ...base, tabs: 2, store: 3, migration: null }, base, 1],
  ])('TAB-R6 %s', (_, a, b, sign) => {
    expect(Math.sign(compareBundles(a, b))).toBe(sign)
    expect(Math.sign(compareBundles(b, a)) + sign).toBe(0)
  })

  test('TAB-R6 the order of bundles is total', () => {
    const bundles: Bundle[] = [1, 2].flatMap((tabs) =>
      [4, 5].flatMap((store) => [null, '0001_first', '0002_titles'].map((migration) => ({ tabs, store, migration }))),
    )
    // They are listed from the oldest to the newest.
    bundles.forEach((a, place) => {
      bundles.forEach((b, other) => {
        expect(Math.sign(compareBundles(a, b))).toBe(Math.sign(place - other))
      })
    })
  })
})

describe('TAB-R6 a worker that waits leads better', () => {
  const older = { ...base, migration: '0001_first' }
  const newer = { ...base, migration: '0003_labels' }

  test.each<[Bundle, boolean, boolean, boolean]>([
    // The bundle of the waiting one, whether it is seen, whether the granted one is seen, and whether it leads better.
    [newer, false, false, true],
    [newer, false, true, true],
    [newer, true, false, true],
    [newer, true, true, true],
    [base, false, false, false],
    [base, false, true, false],
    [base, true, false, true],
    [base, true, true, false],
    [older, false, false, false],
    [older, false, true, false],
    [older, true, false, false],
    [older, true, true, false],
  ])('TAB-R6 waiting with %o, visible %s, against one visible %s: %s', (bundle, isVisible, isSeen, isBetter) => {
    expect(leadsBetter({ bundle, isVisible }, { bundle: base, isVisible: isSeen })).toBe(isBetter)
  })

  test('TAB-R6 of two workers, at most one leads better than the other', () => {
    const workers = [older, base, newer].flatMap((bundle) => [true, false].map((isVisible) => ({ bundle, isVisible })))
    for (const a of workers) for (const b of workers) expect(leadsBetter(a, b) && leadsBetter(b, a)).toBe(false)
  })
})
