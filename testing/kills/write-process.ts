import { openReplica } from '../../client/index.ts'
import { seededRandom } from '../oracle/random.ts'
import { folderSync } from '../writing/folder-sync.ts'
import { sayOpened, saySettled, type Word, writeOn } from './write-on.ts'

/**
 * Run as a process of its own, to be killed while it writes: `node write-process.ts <url> <directory> <seed> <run>`. With `last`
 * as its run it says how everything ended, and ends.
 */
const [, , url = '', storage = '', seed = '', run = '0'] = process.argv
const say = (word: Word) => console.log(JSON.stringify(word))
const replica = await openReplica({ url, user: 'ann', token: () => 'token', sync: folderSync, storage })
await sayOpened(replica, say)
if (run !== 'last') await writeOn(replica, { random: seededRandom(`${seed}/${run}`), run: Number(run), say })
await saySettled(replica, say)
await replica.close()
