import { addComment, appendToIssue } from './add-text.ts'
import { assignIssue } from './assign-issue.ts'
import { closeIssue, reopenIssue } from './close-issue.ts'
import { createIssue } from './create-issue.ts'
import { moveIssue } from './move-issue.ts'

/** Actions guard an invariant, or depend on what others did; all other writes are plain SQL. */
export const actions = { createIssue, closeIssue, reopenIssue, moveIssue, assignIssue, addComment, appendToIssue }
