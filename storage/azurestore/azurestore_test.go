package azurestore

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/fileloft/fileloft/storage/storetest"
	"github.com/fileloft/fileloft/tus"
)

// left lists what is there of an id in all its lives, staged blocks too, signs apart.
func left(t testing.TB, s *Store, u tus.Upload) []string {
	t.Helper()
	var names []string
	err := s.list(t.Context(), s.pieces+string(u.ID)+"/", func(name string, _ time.Time) error {
		if _, piece, _ := s.parsePiece(name); piece != signName {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	key := s.prefix + u.ObjectKey()
	o, err := s.head(t.Context(), key)
	switch {
	case err == nil:
		for name, v := range o.meta {
			if strings.EqualFold(name, metaID) && *v == string(u.ID) {
				names = append(names, key)
			}
		}
	case !isMissing(err):
		t.Fatal(err)
	}
	return names
}

// config is for stores that change changes, on Azurite.
func config(t *testing.T, o Options, change func(*Store)) storetest.Config {
	return storetest.Config{
		New: func(tb testing.TB) tus.Storage {
			s, _ := onAzurite(tb, o)
			change(s)
			return s
		},
		PartSize: 1000,
		MaxHeap:  -1, // see TestMemoryIsBound
		Pause:    250 * time.Millisecond,
		Pieces:   func(s tus.Storage, u tus.Upload) []string { return left(t, s.(*Store), u) },
	}
}

func TestStore(t *testing.T) {
	connection(t)
	c := config(t, Options{}, func(*Store) {})
	c.Seeds = 80
	storetest.Run(t, c)
}

// Stages that are full after two blocks, so that nearly every upload is bound and joined.
func TestSmallStages(t *testing.T) {
	connection(t)
	c := config(t, Options{Prefix: "in/", AccessTier: "Cool"}, func(s *Store) {
		s.full, s.span = 2, 700
		three := int32(3)
		s.page = &three
	})
	s := c.New(t)
	for _, name := range storetest.Checks() {
		if name == "uploads at the same time" {
			continue // they do not meet, and TestStore has them
		}
		if err := storetest.Check(t.Context(), s, c, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for seed := range uint64(40) {
		if err := storetest.Schedule(t.Context(), s, c, seed+1); err != nil {
			t.Fatal(err)
		}
	}
}

func TestErrorsOfNew(t *testing.T) {
	client, err := container.NewClientWithNoCredential("https://a.blob.core.windows.net/c", nil)
	if err != nil {
		t.Fatal(err)
	}
	for what, o := range map[string]*Options{
		"a block that is too small": {BlockSize: 1000},
		"a block that is too large": {BlockSize: 2 * maxBlock},
		"a negative number":         {Parallel: -1},
		"links for too long":        {LinkTTL: 8 * 24 * time.Hour},
		"pieces without a slash":    {Pieces: "p"},
		"a tier that is none":       {AccessTier: "Lukewarm"},
	} {
		if _, err := New(client, o); err == nil || !strings.HasPrefix(err.Error(), "azurestore: ") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := New(nil, nil); err == nil {
		t.Error("no client: no error")
	}
	nowhere, err := container.NewClientWithNoCredential("https://a.blob.core.windows.net/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(nowhere, nil); err == nil {
		t.Error("no container: no error")
	}
}

func TestKeysThatAzureWouldChange(t *testing.T) {
	client, err := container.NewClientWithNoCredential("https://a.blob.core.windows.net/c", nil)
	if err != nil {
		t.Fatal(err)
	}
	s := storeOn(t, client, Options{})
	for key, ok := range map[string]bool{
		"a/b.txt": true, "a b/ü?#%41": true, "a.": false, "a/": false, `a\b`: false, ".fileloft/x": false, strings.Repeat("k", 1025): false,
	} {
		u := tus.Upload{ID: "i", Birth: "b", Key: key}
		if _, err := s.key(&u); (err == nil) != ok {
			t.Errorf("%q: %v", key, err)
		}
		if ok {
			continue
		}
		if err := s.Remove(t.Context(), tus.Lease{Upload: u}); err != nil { // under such a key there is nothing: no request
			t.Errorf("remove %q: %v", key, err)
		}
		if _, err := s.Open(t.Context(), u, 0, 0); err == nil || errors.Is(err, tus.ErrUnavailable) {
			t.Errorf("open %q: %v", key, err)
		}
	}
}
