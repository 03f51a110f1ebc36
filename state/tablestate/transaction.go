package tablestate

import (
	"bufio"
	"bytes"
	"context"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"github.com/fileloft/fileloft/tus"
)

// move changes an upload's entity, and in the same transaction its entry in the index: from the bucket was to the bucket now,
// either of which may be empty for none.
//
// No write of this package leaves a record without its entry. A person may have deleted one: then there is nothing to remove,
// and the transaction is sent without that. Its condition on the entity still decides.
func (t *table) move(ctx context.Context, change aztables.TransactionAction, id tus.ID, was, now string) (azcore.ETag, error) {
	actions := []aztables.TransactionAction{change}
	if now != "" {
		actions = append(actions, listed(id, now))
	}
	if was == "" {
		return t.submit(ctx, actions...)
	}
	unlist := aztables.TransactionAction{ActionType: aztables.TransactionTypeDelete, Entity: keys(partitionOf(id), entryOf(id, was))}
	etag, err := t.submit(ctx, append(actions[:len(actions):len(actions)], unlist)...)
	if missing(err) {
		return t.submit(ctx, actions...)
	}
	return etag, err
}

// listed puts an upload into the index.
func listed(id tus.ID, bucket string) aztables.TransactionAction {
	return aztables.TransactionAction{ActionType: aztables.TransactionTypeInsertReplace, Entity: keys(partitionOf(id), entryOf(id, bucket))}
}

// submit makes all of the changes, or none, and returns the ETag that the first entity got.
func (t *table) submit(ctx context.Context, actions ...aztables.TransactionAction) (azcore.ETag, error) {
	var res *http.Response
	err := t.call(ctx, func(ctx context.Context) error {
		_, err := t.client.SubmitTransaction(policy.WithCaptureResponse(ctx, &res), actions, nil)
		return err
	})
	if err != nil {
		return "", err
	}
	body, err := runtime.Payload(res) // the library has it, and gives no ETag
	if err != nil {
		return "", nil //nolint:nilerr // the transaction was made: only its version is not known
	}
	_, etag := firstPart(body)
	return etag, nil
}

// firstPart returns the status and the ETag of the first answer in a transaction's. Of one that failed there is no other.
func firstPart(body []byte) (status int, etag azcore.ETag) {
	_, answer, _ := bytes.Cut(body, []byte("HTTP/1.1 "))
	r := textproto.NewReader(bufio.NewReader(bytes.NewReader(answer)))
	line, _ := r.ReadLine()
	code, _, _ := strings.Cut(line, " ")
	status, _ = strconv.Atoi(code)
	header, _ := r.ReadMIMEHeader() // an error leaves what was read before it
	return status, azcore.ETag(header.Get("ETag"))
}
