// Package azuretest holds tests alone: the zip of functions/azure, unpacked and run by an imitation of the Functions host, over Azurite's
// blobs and tables: the protocol table, real clients, what the platform does to requests, and uploads while instances are killed.
package azuretest
