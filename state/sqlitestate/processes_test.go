package sqlitestate_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/fileloft/fileloft/state/sqlitestate"
	"github.com/fileloft/fileloft/tus"
)

// The tests of several processes start this test binary again, with what the child is to do behind the flags.
func TestMain(m *testing.M) {
	flag.Parse()
	if flag.NArg() == 0 {
		os.Exit(m.Run())
	}
	children := map[string]func(path string) error{"claim": claimEpochs, "commit": commitForever}
	if err := children[flag.Arg(0)](flag.Arg(1)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child returns the command of a child process.
func child(t *testing.T, what, path string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, what, path)
	cmd.Stderr = os.Stderr
	return cmd
}

const shared = tus.ID("shared")

// setUp makes a file with one upload in it, and closes it.
func setUp(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "state.db")
	st, err := sqlitestate.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	u := tus.Upload{ID: shared, Birth: "b", Length: tus.Unknown}
	if _, err := st.Create(context.Background(), u, claim(0, 0)); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	processes = 8
	turns     = 20 // of each process
)

// won is what a child reports of one of its turns.
type won struct {
	Epoch tus.Epoch
	Slot  uint32 // the one it used
}

// claimEpochs takes turns at the upload, now and then by stealing it, and adds one byte at each turn.
func claimEpochs(path string) error {
	st, err := sqlitestate.Open(path, nil)
	if err != nil {
		return err
	}
	defer st.Close()
	ctx := context.Background()
	out := json.NewEncoder(os.Stdout)
	for n := 0; n < turns; {
		c := claim(time.Hour, 2)
		c.Steal = rand.IntN(20) == 0
		l, err := st.Acquire(ctx, shared, c)
		var leased *tus.LeasedError
		if errors.As(err, &leased) {
			time.Sleep(rand.N(time.Millisecond)) // as a client does
			continue
		}
		if err != nil {
			return err
		}
		next := l.Upload
		next.Offset++
		next.NextSlot++
		_, err = st.Commit(ctx, l, next, claim(0, 0))
		if errors.Is(err, tus.ErrSuperseded) {
			continue
		}
		if err != nil {
			return err
		}
		if err := out.Encode(won{l.Epoch, l.Slots.First}); err != nil {
			return err
		}
		n++
	}
	return nil
}

func TestEightProcessesShareOneUpload(t *testing.T) {
	path := setUp(t)
	var cmds []*exec.Cmd
	var outs []*json.Decoder
	for range processes {
		cmd := child(t, "claim", path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cmds, outs = append(cmds, cmd), append(outs, json.NewDecoder(out))
	}
	epochs, slots := map[tus.Epoch]int{}, map[uint32]int{}
	for i, cmd := range cmds {
		for range turns {
			var w won
			if err := outs[i].Decode(&w); err != nil {
				t.Errorf("process %d: %v", i, err)
				break
			}
			if other, ok := epochs[w.Epoch]; ok {
				t.Errorf("the epoch %d was won by the processes %d and %d", w.Epoch, other, i)
			}
			if other, ok := slots[w.Slot]; ok {
				t.Errorf("the slot %d was used by the processes %d and %d", w.Slot, other, i)
			}
			epochs[w.Epoch], slots[w.Slot] = i, i
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("process %d: %v", i, err)
		}
	}
	st, err := sqlitestate.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	u, err := st.Load(context.Background(), shared)
	if err != nil || u.Offset != processes*turns {
		t.Errorf("after %d increments the offset is %d, %v", processes*turns, u.Offset, err)
	}
}

// commitForever takes the lease and commits one byte after the other, telling each offset once it is acknowledged.
func commitForever(path string) error {
	st, err := sqlitestate.Open(path, nil)
	if err != nil {
		return err
	}
	ctx := context.Background()
	c := claim(time.Hour, 1)
	c.Steal = true // the one before was killed
	l, err := st.Acquire(ctx, shared, c)
	if err != nil {
		return err
	}
	for {
		next := l.Upload
		next.Offset++
		if l, err = st.Commit(ctx, l, next, claim(time.Hour, 1)); err != nil {
			return err
		}
		fmt.Println(l.Upload.Offset)
	}
}

func TestKilledInMidCommit(t *testing.T) {
	path := setUp(t)
	for round := range 4 {
		cmd := child(t, "commit", path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var acked int64
		lines, kill := bufio.NewScanner(out), 20+rand.IntN(50)
		for n := 0; lines.Scan(); n++ {
			if _, err := fmt.Sscan(lines.Text(), &acked); err != nil {
				t.Error(err)
			}
			if n == kill {
				if err := cmd.Process.Kill(); err != nil {
					t.Error(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil || acked == 0 {
			t.Fatalf("the child ended by itself, at the offset %d", acked)
		}

		st, err := sqlitestate.Open(path, nil)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		u, err := st.Load(context.Background(), shared)
		if err != nil || u.Offset < acked || u.Offset > acked+1 {
			t.Errorf("round %d: the offset %d was acknowledged, the record has %d, %v", round, acked, u.Offset, err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
}
