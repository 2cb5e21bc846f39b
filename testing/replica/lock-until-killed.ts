import { lockFile } from '../../client/store/lock-file.ts'

/** Run as a process of its own, to be killed while it holds a lock: `node lock-until-killed.ts <path>`. */
await lockFile(process.argv[2] ?? '')
console.log('held')
setInterval(() => undefined, 60_000)
