import type { Random } from '../oracle/random.ts'
import type { Statement } from '../oracle/workload-statements.ts'

/**
 * Boards, remarks on them and replies to those: who sees a remark follows from its board, unless it is hidden, and who sees a
 * reply from its remark. Ids are by number, of board, remark or reply.
 */
export interface RemarkIds {
  board(org: number, number: number): string
  remark(org: number, number: number): string
  reply(org: number, number: number): string
}

const BOARDS = 2
const REMARKS = 6
const REPLIES = 6

/** Writes rows whose audience is kept, as a replica or anybody does. */
export function changeRemarks(random: Random, org: number, word: string, ids: RemarkIds): Statement {
  const remark = ids.remark(org, random.below(REMARKS))
  const board = ids.board(org, random.below(BOARDS))
  const kind = random.weighted({ write: 8, word: 6, hide: 5, move: 4, remove: 1, answer: 6, edit: 3 })
  switch (kind) {
    case 'write':
      return {
        text: `INSERT INTO remark (id, board_id, word) SELECT $1, $2, $3
               WHERE NOT EXISTS (SELECT FROM remark WHERE id = $1::uuid) AND EXISTS (SELECT FROM board WHERE id = $2::uuid)`,
        params: [remark, board, word],
      }
    case 'word':
      return { text: 'UPDATE remark SET word = $1 WHERE id = $2', params: [word, remark] }
    case 'hide':
      return { text: 'UPDATE remark SET hidden = NOT hidden WHERE id = $1', params: [remark] }
    case 'move':
      return { text: 'UPDATE remark SET board_id = $1 WHERE id = $2', params: [board, remark] }
    case 'remove':
      return { text: 'DELETE FROM remark WHERE id = $1', params: [remark] }
    case 'answer': {
      const reply = ids.reply(org, random.below(REPLIES))
      return {
        text: `INSERT INTO reply (id, remark_id, word) SELECT $1, $2, $3
               WHERE NOT EXISTS (SELECT FROM reply WHERE id = $1::uuid) AND EXISTS (SELECT FROM remark WHERE id = $2::uuid)`,
        params: [reply, remark, word],
      }
    }
    case 'edit':
      return { text: 'UPDATE reply SET word = $1 WHERE id = $2', params: [word, ids.reply(org, random.below(REPLIES))] }
  }
}

/** Moves a board, and so what hangs on it, to another organisation, back, or to nobody. */
export function moveBoard(random: Random, orgs: readonly string[], ids: RemarkIds): Statement {
  const to = random.chance(0.2) ? null : random.pick(orgs)
  const board = ids.board(random.below(orgs.length), random.below(BOARDS))
  return { text: 'UPDATE board SET org_id = $1 WHERE id = $2', params: [to, board] }
}

/** The boards of an organisation, each with a remark and a reply. */
export function seedRemarks(org: number, orgId: string, ids: RemarkIds): Statement[] {
  return Array.from({ length: BOARDS }, (_, number) => number).flatMap((number) => [
    { text: 'INSERT INTO public.board (id, org_id) VALUES ($1, $2)', params: [ids.board(org, number), orgId] },
    {
      text: `INSERT INTO public.remark (id, board_id, word) VALUES ($1, $2, 'first')`,
      params: [ids.remark(org, number), ids.board(org, number)],
    },
    {
      text: `INSERT INTO public.reply (id, remark_id, word) VALUES ($1, $2, 'first')`,
      params: [ids.reply(org, number), ids.remark(org, number)],
    },
  ])
}
