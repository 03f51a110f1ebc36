// Package lambdatest holds tests alone: the unmodified Lambda binary behind the local doors of internal/lambdagate, with a real
// S3 server and a real DynamoDB server, held to the whole protocol table and to real upload clients, while its
// instances are frozen and killed as Lambda does it and worse.
//
// The tests need versitygw and dynoxide (make servers) and the clients (make clients). What is missing is skipped with a sentence, or
// fails where REQUIRE_EMULATORS=1. With -short, nothing here starts.
package lambdatest
