// Command gotus uploads a file with github.com/eventials/go-tus, in chunks, and goes on after errors.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	tus "github.com/eventials/go-tus"
	"github.com/eventials/go-tus/memorystore"
)

func main() {
	chunk := flag.Int64("chunk", 16<<20, "bytes per request")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: gotus [-chunk N] FILE URL")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), flag.Arg(1), *chunk); err != nil {
		fmt.Fprintln(os.Stderr, "gotus:", err)
		os.Exit(1)
	}
}

func run(file, endpoint string, chunk int64) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	store, err := memorystore.NewMemoryStore()
	if err != nil {
		return err
	}
	config := tus.DefaultConfig()
	config.ChunkSize = chunk
	config.Resume = true
	config.Store = store
	client, err := tus.NewClient(endpoint, config)
	if err != nil {
		return err
	}
	upload, err := tus.NewUploadFromFile(f)
	if err != nil {
		return err
	}
	uploader, err := client.CreateUpload(upload)
	if err != nil {
		return err
	}
	fmt.Println("URL", uploader.Url())
	for try := 0; ; try++ {
		if err = uploader.Upload(); err == nil {
			return nil
		}
		if try == 20 {
			return err
		}
		fmt.Fprintln(os.Stderr, "gotus: again after:", err)
		for ; try < 20; try++ {
			time.Sleep(500 * time.Millisecond)
			// ResumeUpload asks for the offset, and takes only 200 for an answer.
			if uploader, err = client.ResumeUpload(upload); err == nil {
				break
			}
			fmt.Fprintln(os.Stderr, "gotus: resume:", err)
		}
		if err != nil {
			return err
		}
	}
}
