// An upload server as a Go programmer would write it: a multipart reader, a copy through a hash into a file,
// fsync, rename. With nothing but the standard library it keeps no rows and inspects nothing. Arguments: folder, address.
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
		sum, size, err := receive(folder, r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"sha256":"%s","size":%d}`, sum, size)
	})
	panic(http.ListenAndServe(address, nil))
}

func receive(folder string, r *http.Request) (sum string, size int64, err error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return "", 0, err
	}
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			return sum, size, nil
		}
		if err != nil {
			return "", 0, err
		}
		if part.FileName() == "" {
			if _, err := io.Copy(io.Discard, io.LimitReader(part, 16<<10)); err != nil {
				return "", 0, err
			}
			continue
		}
		if sum, size, err = store(folder, part); err != nil {
			return "", 0, err
		}
	}
}

func store(folder string, source io.Reader) (string, int64, error) {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return "", 0, err
	}
	path := filepath.Join(folder, hex.EncodeToString(id))
	file, err := os.Create(path + ".part")
	if err != nil {
		return "", 0, err
	}
	defer file.Close()
	hash := sha256.New()
	size, err := io.Copy(io.MultiWriter(file, hash), source)
	if err != nil {
		return "", 0, err
	}
	if err := file.Sync(); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(hash.Sum(nil)), size, os.Rename(path+".part", path+".wav")
}
