/**
 * What only some replicas need, and only at times: steps to versions of the schema, loads beside what is shown, what hangs on
 * tables that are replaced, and the comparison with the server. A page loads it as one, in the background, once it is ready, so that it is there when it
 * is needed: without a network, and after a deploy that removed it. Rule PRF-R2.
 */
export { detachObjects, remakeObjects } from './hanging-objects.ts'
export { loadAddition, loadRenewal } from './load-beside.ts'
export { planRenewal } from './plan-renewal.ts'
export { compareWithServer } from './self-check.ts'
export { stepAtOnce } from './step-tables.ts'
export { planAnew, stepToVersion } from './step-version.ts'
