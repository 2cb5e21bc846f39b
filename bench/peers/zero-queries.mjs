import { createServer } from 'node:http'
import { mustGetQuery } from '@rocicorp/zero'
import { handleQueryRequest } from '@rocicorp/zero/server'
import { queries, schema } from './zero-schema.mjs'

/** The app's endpoint that Zero's server asks what a query by name reads. */
createServer((request, response) => {
  let text = ''
  request.on('data', (data) => {
    text += data
  })
  request.on('end', async () => {
    try {
      const answer = await handleQueryRequest({
        handler: (name, args) => mustGetQuery(queries, name).fn({ args, ctx: undefined }),
        schema,
        userID: null,
        query: new URL(request.url, 'http://localhost').searchParams,
        body: JSON.parse(text),
        logLevel: 'error',
      })
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(answer))
    } catch (error) {
      console.error(error)
      response.statusCode = 500
      response.end()
    }
  })
}).listen(Number(process.env.QUERY_PORT), '127.0.0.1')
