// An upload server as a Go programmer would write it: a multipart reader, a copy through a hash into a file,
// fsync, rename. It keeps no rows and inspects nothing. Arguments: folder, address.
package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
)

func main() {
	folder, address := os.Args[1], os.Args[2]
	if err := os.MkdirAll(folder, 0o755); err != nil {
		panic(err)
	}
	http.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		if err := receive(folder, r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, "{}")
	})
	panic(http.ListenAndServe(address, nil))
}

func receive(folder string, r *http.Request) error {
	parts, err := r.MultipartReader()
	if err != nil {
		return err
	}
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if part.FileName() == "" {
			if _, err := io.Copy(io.Discard, io.LimitReader(part, 16<<10)); err != nil {
				return err
			}
			continue
		}
		if err := store(folder, part); err != nil {
			return err
		}
	}
}

func store(folder string, source io.Reader) error {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return err
	}
	path := filepath.Join(folder, hex.EncodeToString(id))
	file, err := os.Create(path + ".part")
	if err != nil {
		return err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(io.MultiWriter(file, hash), source); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}
