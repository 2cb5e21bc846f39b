/** Sentence parts. `{thing}` is a noun phrase with its article, `{name}` a member's first name, `{n}` a small number. */
/** Symptoms of bugs, and the circumstances under which each is believable. */
export const symptoms: readonly { readonly text: string; readonly when: readonly string[] }[] = [
  {
    text: 'shows a stale value',
    when: ['after a reload', 'right after an import', 'when two people edit at once', ''],
  },
  {
    text: 'loses the last edit',
    when: ['on a slow connection', 'once the session has expired', 'when two people edit at once'],
  },
  {
    text: 'times out',
    when: ['with more than a thousand entries', 'on the first day of the month', 'right after an import'],
  },
  {
    text: 'ignores the chosen filter',
    when: ['after a reload', 'on small phones', 'for guests', 'after switching accounts'],
  },
  { text: 'renders twice', when: ['in Safari', 'after switching accounts', 'in dark mode', ''] },
  {
    text: 'is an hour off',
    when: ['when summer time begins', 'for users in Lisbon', 'after an export', 'right after an import'],
  },
  { text: 'rounds the wrong way', when: ['for amounts below one', 'in the monthly total', 'after an export', ''] },
  {
    text: 'stays empty',
    when: ['for guests', 'when the list is filtered', 'in Safari', 'with a screen reader', 'after a reload'],
  },
  {
    text: 'jumps back to the top',
    when: ['on small phones', 'after a save', 'when the list is filtered', 'in Safari'],
  },
  {
    text: 'notifies everyone twice',
    when: ['when two people edit at once', 'right after an import', 'after a retry', ''],
  },
  { text: 'accepts an end before its start', when: ['when summer time begins', 'for guests', 'after an import', ''] },
  {
    text: 'forgets the sort order',
    when: ['after a reload', 'after switching accounts', 'on small phones', 'for guests'],
  },
  {
    text: 'fails without a message',
    when: ['once the session has expired', 'if a file name has an umlaut', 'on a slow connection'],
  },
  {
    text: 'blocks the page',
    when: ['with more than a thousand entries', 'on a slow connection', 'while an import runs'],
  },
  { text: 'is cut off', when: ['on small phones', 'with long names', 'in French', 'when printed'] },
  { text: 'is unreadable', when: ['in dark mode', 'at 200 % zoom', 'when printed'] },
  { text: 'cannot be reached', when: ['by keyboard', 'with a screen reader', 'for guests'] },
  {
    text: 'counts archived entries',
    when: ['in the monthly total', 'after an export', 'when the list is filtered', ''],
  },
]

export const tasks = [
  'Add keyboard shortcuts to {thing}',
  'Speed up {thing}',
  'Cover {thing} with tests',
  'Remove the legacy code behind {thing}',
  'Redesign the empty state of {thing}',
  'Cache {thing}',
  'Add a CSV export to {thing}',
  'Let admins configure {thing}',
  'Measure how often {thing} is used',
  'Move {thing} to the new API',
  'Translate {thing} into German and French',
  'Add a dry run to {thing}',
  'Show progress while {thing} loads',
  'Explain errors in {thing}',
  'Make {thing} work offline',
  'Add undo to {thing}',
  'Write a short guide to {thing}',
] as const

export const reasons = [
  '',
  '',
  '',
  ' before the spring release',
  ' so that support can answer alone',
  ' as agreed with design',
  ' to cut the number of tickets',
  ' for the audit',
  ' for new customers',
  ' after the pilot',
] as const

export const bugBodies = [
  'Reported by {n} customers this week.\n\nSteps: open {thing}, change one entry, go back and look again. Expected: the entry as it was saved. Instead it {symptom}.',
  'Support can reproduce this on a fresh account: {thing} {symptom}. It does not happen on the staging system, which has far less data.',
  'Seen in the logs since the last release, about {n} times a day. {Thing} {symptom}, but not for everybody. A reload helps for a while.',
  '{Name} noticed it during a demo: {thing} {symptom}. We should at least tell people what happened instead of leaving them to guess.',
  'This is the third report. {Thing} {symptom}; the last fix covered only half of the cases. Please add a regression test this time.',
] as const

export const taskBodies = [
  'Came up in the last {n} customer interviews. Keep it small: one screen, no new settings.\n\nDone when somebody from support has tried it without help.',
  'We have put this off for two quarters. {Name} sketched how {thing} could look; the sketch is in the design folder.',
  'Needs a decision first: do we change {thing} for everybody, or behind a flag for the pilot customers?\n\nI would start with the flag.',
  'Small, but it touches {thing} everywhere it is used. Best done right after a release, not before one.',
  'Background: {thing} takes more than {n} seconds for our largest account. Anything below one second would be fine.',
] as const

/** Comments by how far an issue has come, so that a thread reads like one. */
export const openingComments = [
  'I can reproduce it. It needs at least {n} entries, then it happens every time.',
  'Cannot reproduce it on the current build. {name}, which browser was that?',
  'Firefox on Windows, freshly updated. I have attached a recording.',
  'Is this the same as the one about {thing} we closed in the spring? It looks familiar.',
  'Similar, but not the same: that one was about permissions.',
  'A customer asked again today. Can we say when it will be done?',
  'Raising the priority, three more tickets came in overnight.',
  'I can take this, unless {name} has started already.',
  'Could we ask once and remember the answer instead?',
  'Yes, and that would make the dialog unnecessary altogether.',
  'We tried that last year. The trouble was not the query but the amount of markup it produced.',
  'Then let us measure first. I will add a timer around {thing}.',
] as const

export const middleComments = [
  'The cause is older than the last release: we compare local times in one place and UTC in the other.',
  'Looked at {thing} with {name} this morning. We think the cache is innocent.',
  'Turns out the request is sent twice; the second answer overwrites the first.',
  'I would rather fix {thing} properly than add another special case.',
  'Agreed. Let us keep the old behaviour for guests, though.',
  'Started on this. There is a draft, comments welcome.',
  'Moving this to the next cycle; the import has to go first.',
  'Tell them end of the month. I am fairly sure about that.',
  'Design is fine with this. The icon will follow later.',
  'Let us not touch {thing} before the audit is over.',
  'Split off the part about exports, it deserves its own issue.',
  'Lowering the priority: there is a workaround, and support knows it.',
  'I will pair with {name} on this tomorrow.',
  'This also explains the odd totals {name} saw last week.',
  'I have changed the wording so that it says what to do next.',
  'One more case: it still fails when the list is empty.',
  'Review done: two small remarks about naming, otherwise ready.',
] as const

export const closingComments = [
  'Good catch. Fixed, and there is a test for it now.',
  'Deployed to staging. {name}, could you have a look before the weekend?',
  'Works for me on staging, also with the large account.',
  'The numbers: {n}.4 seconds before, {n}00 milliseconds after.',
  'Done and released. Please reopen if it comes back.',
  'Watched the logs for {n} days: not a single occurrence since the release.',
  'The documentation is updated as well.',
  'Closing the loop: the customer confirmed that it works.',
] as const

/** Notes that people write for themselves. */
export const privateNotes = [
  'Ask {name} before touching this again.',
  'My guess is {thing} itself, not the data. Prove it before saying so.',
  'Promised {name} an answer by Friday.',
  'Half a day if the test data holds. Not to be quoted yet.',
  'Reread the old issue about {thing} before replying.',
  'Sketch is in my notebook, page {n}4.',
  'Waiting for the numbers from support; nudge them on Monday.',
  'If this slips again, split it and hand one half to {name}.',
  'The customer is angrier than the comments sound. Call, do not write.',
] as const

export const organizationLabels = [
  ['bug', '#c2413b'],
  ['feature', '#2f6fde'],
  ['performance', '#b7791f'],
  ['accessibility', '#7a4fd0'],
  ['customer request', '#0f8a6c'],
  ['security', '#a3265c'],
  ['documentation', '#5b6b7c'],
  ['regression', '#c8611a'],
  ['good first issue', '#3f8f3a'],
] as const
