// Command tusgo uploads a file with github.com/bdragon300/tusgo: as a stream, with checksums (in the header, or in the
// trailer where it streams), or in parts that are concatenated. It goes on after errors.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/bdragon300/tusgo"
)

var (
	chunk    = flag.Int64("chunk", 8<<20, "bytes per request; 0 streams all in one")
	checksum = flag.String("checksum", "", "algorithm; with -chunk 0 it goes into the trailer")
	parts    = flag.Int("parts", 1, "how many partial uploads to make of the file")
)

func main() {
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: tusgo [-chunk N] [-checksum ALGORITHM] [-parts N] FILE URL")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), flag.Arg(1)); err != nil {
		fmt.Fprintln(os.Stderr, "tusgo:", err)
		os.Exit(1)
	}
}

func run(file, endpoint string) error {
	base, err := url.Parse(endpoint)
	if err != nil {
		return err
	}
	client := tusgo.NewClient(http.DefaultClient, base)
	if _, err := client.UpdateCapabilities(); err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	meta := map[string]string{"filename": info.Name()}
	if *parts == 1 {
		var u tusgo.Upload
		if _, err := client.CreateUpload(&u, info.Size(), false, meta); err != nil {
			return err
		}
		fmt.Println("URL", u.Location)
		return send(client, &u, io.NewSectionReader(f, 0, info.Size()))
	}
	uploads := make([]tusgo.Upload, *parts)
	for i := range uploads {
		from, to := info.Size()*int64(i)/int64(*parts), info.Size()*int64(i+1)/int64(*parts)
		if _, err := client.CreateUpload(&uploads[i], to-from, true, nil); err != nil {
			return err
		}
		if err := send(client, &uploads[i], io.NewSectionReader(f, from, to-from)); err != nil {
			return err
		}
	}
	var final tusgo.Upload
	if _, err := client.ConcatenateUploads(&final, uploads, meta); err != nil {
		return err
	}
	fmt.Println("URL", final.Location)
	return nil
}

// send brings an upload to its end.
func send(client *tusgo.Client, u *tusgo.Upload, src *io.SectionReader) error {
	var err error
	for range 20 {
		s := tusgo.NewUploadStream(client, u)
		s.ChunkSize = *chunk
		if *chunk == 0 {
			s.ChunkSize = tusgo.NoChunked
		}
		if *checksum != "" {
			s = s.WithChecksumAlgorithm(*checksum)
		}
		if _, err = s.Sync(); err == nil {
			if _, err = src.Seek(s.Tell(), io.SeekStart); err != nil {
				return err
			}
			if s.Tell() == src.Size() {
				return nil
			}
			if err = transfer(s, src); err == nil {
				return nil
			}
		}
		if errors.Is(err, tusgo.ErrUploadDoesNotExist) || errors.Is(err, tusgo.ErrProtocol) {
			return err
		}
		fmt.Fprintln(os.Stderr, "tusgo: again after:", err)
		time.Sleep(500 * time.Millisecond)
	}
	return err
}

// transfer sends the rest. The library panics where an answer with an error status breaks off in its body, as it may when the
// server refuses a request that is still being sent: to a client that is one more broken connection.
func transfer(s *tusgo.UploadStream, src io.Reader) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the library panicked: %v", p)
		}
	}()
	_, err = s.ReadFrom(src)
	return err
}
