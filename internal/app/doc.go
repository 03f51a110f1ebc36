// Package app makes a server out of the protocol handler: it is the one reader of the environment, turns it into a
// [Config], and puts health checks, request ids, an access log, a shutdown that keeps bytes in flight, and the
// sweeper's clock around a [tus.Handler].
//
// Every setting is a field of Config: its tags hold the flag, the default and the sentence of help, and the variable
// is the flag's name in capitals behind FILELOFT_. The command line, the functions, the log of effective settings and
// the table in the README all come from there. A bad value is an error that names the variable or flag; it never
// turns into a default.
//
// The package opens no store and links no cloud: package backend does that for the standalone server.
// Nothing here touches the network except the listener that it is given; /readyz makes one cheap call to the state
// and one to the storage.
package app
