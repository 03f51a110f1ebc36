package sqlitestate

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fileloft/fileloft/tus"
)

func TestListingsGoOnAcrossPages(t *testing.T) {
	const n = 2*page + 10
	st := openAt(t, newFile(t))
	now := time.Now()
	var wg sync.WaitGroup
	for w := range 4 { // together, so that they share transactions
		wg.Go(func() {
			for i := w; i < n; i += 4 {
				// Many are due in the same millisecond.
				u := tus.Upload{ID: tus.ID(fmt.Sprintf("%04d", i)), Length: 1, Expires: now.Add(time.Duration(i%3) * time.Second)}
				if _, err := st.Create(t.Context(), u, tus.Claim{Nonce: "n"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()

	i := 0
	for u, err := range st.List(t.Context(), "") {
		if err != nil || u.ID != tus.ID(fmt.Sprintf("%04d", i)) {
			t.Fatalf("the %dth is %s, %v", i, u.ID, err)
		}
		i++
	}
	if i != n {
		t.Errorf("%d listed of %d", i, n)
	}
	seen := map[tus.ID]bool{}
	for id, err := range st.Due(t.Context(), now.Add(time.Minute)) {
		if err != nil || seen[id] {
			t.Fatalf("due: %s, seen before: %t, %v", id, seen[id], err)
		}
		seen[id] = true
	}
	if len(seen) != n {
		t.Errorf("%d due of %d", len(seen), n)
	}
}

func TestListingsUseTheirIndexes(t *testing.T) {
	st := openAt(t, newFile(t))
	for query, args := range map[string][]any{getSQL: {"a"}, dueSQL: {1, 0, "", page}, listSQL: {"", page}} {
		var plan []string
		rows, err := st.table.readers.Query("EXPLAIN QUERY PLAN "+query, args...)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var a, b, c int
			var detail string
			if err := rows.Scan(&a, &b, &c, &detail); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, detail)
		}
		if got := strings.Join(plan, "; "); !strings.Contains(got, "SEARCH") || strings.Contains(got, "TEMP B-TREE") {
			t.Errorf("%s: %s", query, got)
		}
	}
}
