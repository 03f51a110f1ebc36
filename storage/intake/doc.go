// Package intake is where bytes wait between a client's body and a cloud's store: in memory that all bodies of a driver share and none
// can take from the others for longer than it needs it, and for no longer than there is time to send them on.
//
// It sends nothing and starts nothing. A body that has sent a few bytes and sleeps costs 16 KiB. Up to 240 KiB a body needs nobody's
// leave; what is beyond comes out of the [Budget], and a body that gets none is told so, to store what it has.
package intake
