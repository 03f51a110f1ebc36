// Package gcsfake is Google Cloud Storage in memory, for tests and for trying things on one machine: an HTTP server that speaks
// the JSON API, and the XML API as far as the official client reads through it.
//
// It is held to Google's documentation; the page is named where a rule is kept. What it knows:
//
//   - objects with generations, metagenerations, headers, custom metadata, crc32c, and md5 where they are not composed
//   - the four preconditions, on every call that takes them; 0 means that there must be no object
//   - media, multipart and resumable uploads: chunks of 256 KiB, status queries, bytes that are sent again, gaps, sessions that are gone
//   - compose, rewrite, ranged reads, lists with prefix, delimiter and pages, patch, delete
//   - checksums that come with an upload or a compose
//
// Not there: old generations (every bucket is without versioning and soft delete), access control, encryption, holds,
// notifications, batches. Signed links are served without a look at their signature; only their time is kept. A token is not asked for.
//
// It counts calls in the classes that Google bills, loses requests and answers where it is told to, and writes down which objects
// were replaced. Everything is in memory; objects that were composed share the bytes of what they were made of.
package gcsfake
