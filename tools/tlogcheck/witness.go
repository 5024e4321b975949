package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const cosignerType = 4

// witness cosigns the checkpoints of the logs it knows, by the protocol of c2sp.org/tlog-witness. It forgets with the
// process: it is there for tests.
type witness struct {
	signer cosigningKey
	keys   map[string][]string // by the origin of a log

	mutex sync.Mutex
	seen  map[string]tlog.Tree
}

// serveWitness listens on a free port of this machine, and writes its address and its verifier key to out.
func serveWitness(name, seed string, logs []string, out io.Writer) error {
	secret, err := hex.DecodeString(seed)
	if err != nil || len(secret) != ed25519.SeedSize {
		return errors.New("the seed is not 32 bytes in hexadecimal digits")
	}
	w := &witness{newCosigningKey(name, secret), map[string][]string{}, sync.Mutex{}, map[string]tlog.Tree{}}
	for _, key := range logs {
		verifier, err := note.NewVerifier(key)
		if err != nil {
			return err
		}
		w.keys[verifier.Name()] = append(w.keys[verifier.Name()], key)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "http://%s\n%s\n", listener.Addr(), w.signer.verifierKey())
	routes := http.NewServeMux()
	routes.HandleFunc("POST /add-checkpoint", w.addCheckpoint)
	return (&http.Server{Handler: routes, ReadHeaderTimeout: 10 * time.Second}).Serve(listener)
}

func (w *witness) addCheckpoint(answer http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(answer, request.Body, 1<<16))
	if err != nil {
		http.Error(answer, "too long", http.StatusBadRequest)
		return
	}
	old, proof, text, err := parse(body)
	if err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	origin, _, _ := strings.Cut(text, "\n")
	keys, known := w.keys[origin]
	if !known {
		http.Error(answer, "unknown log", http.StatusNotFound)
		return
	}
	next, err := open(text, keys)
	if err != nil {
		http.Error(answer, err.Error(), http.StatusForbidden)
		return
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	seen := w.seen[origin]
	switch {
	case old > next.N:
		http.Error(answer, "the old size is the larger one", http.StatusBadRequest)
	case old != seen.N, old == next.N && seen.Hash != next.Hash:
		answer.Header().Set("Content-Type", "text/x.tlog.size")
		answer.WriteHeader(http.StatusConflict)
		fmt.Fprintf(answer, "%d\n", seen.N)
	case !consistent(seen, next.Tree, proof):
		http.Error(answer, "not consistent with what was seen", http.StatusUnprocessableEntity)
	default:
		w.seen[origin] = next.Tree
		signed, _, _ := strings.Cut(text, "\n\n")
		io.WriteString(answer, w.signer.line(signed+"\n", time.Now()))
	}
}

// consistent tells whether the one tree is the beginning of the other. A log's first tree needs no proof.
func consistent(old, next tlog.Tree, proof tlog.TreeProof) bool {
	if old.N == 0 || old.N == next.N {
		return len(proof) == 0
	}
	return tlog.CheckTree(proof, next.N, next.Hash, old.N, old.Hash) == nil
}

// parse reads a request: the old size, the hashes of the proof, an empty line, the checkpoint.
func parse(body []byte) (int64, tlog.TreeProof, string, error) {
	head, text, found := bytes.Cut(body, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	written, isOld := strings.CutPrefix(lines[0], "old ")
	old, err := strconv.ParseInt(written, 10, 64)
	if !found || !isOld || err != nil || old < 0 || strconv.FormatInt(old, 10) != written || len(lines) > 64 {
		return 0, nil, "", errors.New("not a request")
	}
	var proof tlog.TreeProof
	for _, line := range lines[1:] {
		node, err := tlog.ParseHash(line)
		if err != nil {
			return 0, nil, "", err
		}
		proof = append(proof, node)
	}
	return old, proof, string(text), nil
}

// cosigningKey makes cosignature/v1 (c2sp.org/tlog-cosignature).
type cosigningKey struct {
	name    string
	private ed25519.PrivateKey
}

func newCosigningKey(name string, seed []byte) cosigningKey {
	return cosigningKey{name, ed25519.NewKeyFromSeed(seed)}
}

func (k cosigningKey) public() []byte {
	return append([]byte{cosignerType}, k.private.Public().(ed25519.PublicKey)...)
}

func (k cosigningKey) id() []byte {
	sum := sha256.Sum256(append([]byte(k.name+"\n"), k.public()...))
	return sum[:4]
}

func (k cosigningKey) verifierKey() string {
	return fmt.Sprintf("%s+%x+%s", k.name, k.id(), base64.StdEncoding.EncodeToString(k.public()))
}

func (k cosigningKey) line(text string, at time.Time) string {
	seconds := uint64(at.Unix())
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", seconds, text)
	content := binary.BigEndian.AppendUint64(k.id(), seconds)
	content = append(content, ed25519.Sign(k.private, []byte(message))...)
	return fmt.Sprintf("— %s %s\n", k.name, base64.StdEncoding.EncodeToString(content))
}
