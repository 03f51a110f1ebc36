// Package faults is a proxy that stands between fileloft and the store or the database that it talks to, and does to requests
// what networks and busy services do: it refuses them, breaks them off, holds them up, and loses answers to what was done.
//
// It owns a listener on 127.0.0.1 and the connections through it. It speaks HTTP/1.1, and HTTP/2 without TLS where the client begins
// so, which is how gRPC reaches an emulator; it talks to the server in the version that the service has.
//
// It promises that a request to which nothing is done reaches the server with its method, its target, its Host, its body and its
// trailers as they were sent, and its headers but for those of the connection itself (RFC 9110, 7.6.1): signatures hold. An
// expectation of 100-continue is the server's to meet. Answers come back the same way. Bodies stream. Only those of requests that
// are held or repeated are kept whole, on disk where they are large.
//
// What happens to the n-th request follows from the seed and n alone. Which request is the n-th is chance where several are under
// way: the same seed brings the same mixture, not the same run. A client's library that repeats a request takes another number.
//
// It does not imitate packets that are lost, reordered or late (TCP mends them, or the connection ends), names that do not
// resolve, TLS, bytes that are altered on the way (checksums of TCP and TLS, which end in a broken connection), an answer that is
// held up, or a server that is gone for long: kill that one. A stream of gRPC whose client does not end it is passed on, but a held
// one waits for that end. Two things look like faults here and are not counted: a server that
// breaks a connection has the client's broken too, and where a fault closes a connection of HTTP/2 all its streams end.
package faults
