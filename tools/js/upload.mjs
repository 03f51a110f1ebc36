// Uploads a file with tus-js-client: node upload.mjs FILE URL [CHUNK [PARALLEL]]
// All settings but the size of a chunk are the client's defaults: it retries after 0, 1, 3 and 5 seconds.
// Prints "URL <url>" when it knows the upload's address, and "DONE <url>" at the end.
import fs from 'node:fs'
import path from 'node:path'
import { Upload } from 'tus-js-client'

const [file, endpoint, chunk, parallel] = process.argv.slice(2)
if (!endpoint) {
  console.error('usage: node upload.mjs FILE URL [CHUNK [PARALLEL]]')
  process.exit(2)
}

const upload = new Upload(fs.createReadStream(file), {
  endpoint,
  chunkSize: Number(chunk) > 0 ? Number(chunk) : Number.POSITIVE_INFINITY,
  parallelUploads: Number(parallel) > 1 ? Number(parallel) : 1,
  metadata: { filename: path.basename(file), filetype: 'application/octet-stream' },
  onUploadUrlAvailable: () => console.log('URL', upload.url),
  onAfterResponse: (req, res) => {
    if (res.getStatus() >= 400) console.error(req.getMethod(), 'answered by', res.getStatus(), res.getBody())
  },
  onError: (err) => {
    console.error(String(err))
    process.exit(1)
  },
  onSuccess: () => {
    console.log('DONE', upload.url)
    process.exit(0)
  },
})
upload.start()
