import { Client } from '@neondatabase/serverless'

/** Opens a connection of the app's own; in development Postgres is reached through `DATABASE_PROXY`. */
export async function connect(env: { DATABASE_URL: string; DATABASE_PROXY?: string | undefined }): Promise<Client> {
  const client = new Client(env.DATABASE_URL)
  const proxy = env.DATABASE_PROXY
  if (proxy) {
    client.neonConfig.wsProxy = (host, port) => `${proxy}/?address=${host}:${port}`
    client.neonConfig.useSecureWebSocket = false
    client.neonConfig.pipelineConnect = false
    client.neonConfig.pipelineTLS = false
    client.neonConfig.forceDisablePgSSL = true
  }
  // A cut connection fails the queries that wait on it; when none do, the error concerns nobody.
  client.on('error', () => {})
  await client.connect()
  return client
}
