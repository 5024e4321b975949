// Tlogcheck judges our checkpoints, proofs and tiles with Go's own code: golang.org/x/mod/sumdb/note and tlog.
//
// It reads questions from standard input, one JSON object a line, and answers each with a line: "ok", or why not.
// Hashes are base64, as in a checkpoint. tests/contract/test_go_agrees.py asks.
//
// As "tlogcheck witness NAME SEED LOG…" it is a witness of the logs with these verifier keys, by its own Ed25519 seed.
package main

import (
	"bufio"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type question struct {
	Do    string            `json:"do"`
	Note  string            `json:"note"`
	Keys  []string          `json:"keys"`
	Index int64             `json:"index"`
	Entry string            `json:"entry"`
	Proof []tlog.Hash       `json:"proof"`
	Old   string            `json:"old"`
	Tiles map[string][]byte `json:"tiles"`
}

type tree struct {
	origin string
	tlog.Tree
}

func main() {
	if len(os.Args) > 3 && os.Args[1] == "witness" {
		fmt.Fprintln(os.Stderr, serveWitness(os.Args[2], os.Args[3], os.Args[4:], os.Stdout))
		os.Exit(1)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var asked question
		err := json.Unmarshal(lines.Bytes(), &asked)
		if err == nil {
			err = judge(asked)
		}
		if err != nil {
			fmt.Println(strings.ReplaceAll(err.Error(), "\n", " "))
			continue
		}
		fmt.Println("ok")
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func judge(asked question) error {
	signed, err := open(asked.Note, asked.Keys)
	if err != nil {
		return err
	}
	switch asked.Do {
	case "checkpoint":
		return nil
	case "inclusion":
		leaf := tlog.RecordHash([]byte(asked.Entry))
		return tlog.CheckRecord(asked.Proof, signed.N, signed.Hash, asked.Index, leaf)
	case "consistency":
		old, err := open(asked.Old, asked.Keys)
		if err != nil {
			return err
		}
		return tlog.CheckTree(asked.Proof, signed.N, signed.Hash, old.N, old.Hash)
	case "tiles":
		return prove(asked, signed)
	}
	return errors.New("unknown question")
}

// prove makes the proofs of an entry, and of an older tree, from our tiles, and compares them with ours.
func prove(asked question, signed tree) error {
	hashes := tlog.TileHashReader(signed.Tree, tiles(asked.Tiles))
	proof, err := tlog.ProveRecord(signed.N, asked.Index, hashes)
	if err != nil {
		return err
	}
	if fmt.Sprint(proof) != fmt.Sprint(tlog.RecordProof(asked.Proof)) {
		return errors.New("another proof")
	}
	if err := tlog.CheckRecord(proof, signed.N, signed.Hash, asked.Index, tlog.RecordHash([]byte(asked.Entry))); err != nil {
		return err
	}
	old, err := open(asked.Old, asked.Keys)
	if err != nil {
		return err
	}
	path, err := tlog.ProveTree(signed.N, old.N, hashes)
	if err != nil {
		return err
	}
	return tlog.CheckTree(path, signed.N, signed.Hash, old.N, old.Hash)
}

// open verifies a checkpoint: a known key of the log must have signed it, and no known key's signature be false.
func open(text string, keys []string) (tree, error) {
	var verifiers []note.Verifier
	for _, key := range keys {
		verifier, err := verifierOf(key)
		if err != nil {
			return tree{}, err
		}
		verifiers = append(verifiers, verifier)
	}
	opened, err := note.Open([]byte(text), note.VerifierList(verifiers...))
	if err != nil {
		return tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 {
		return tree{}, errors.New("not a checkpoint")
	}
	if !slices.ContainsFunc(opened.Sigs, func(by note.Signature) bool { return by.Name == lines[0] }) {
		return tree{}, errors.New("the log itself did not sign")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return tree{}, err
	}
	return tree{lines[0], tlog.Tree{N: size, Hash: root}}, nil
}

// cosigner verifies cosignature/v1 (c2sp.org/tlog-cosignature), which the package note doesn't know.
type cosigner struct {
	name   string
	hash   uint32
	public ed25519.PublicKey
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return c.hash }

func (c cosigner) Verify(message, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	header := fmt.Sprintf("cosignature/v1\ntime %d\n", binary.BigEndian.Uint64(signature))
	return ed25519.Verify(c.public, append([]byte(header), message...), signature[8:])
}

func verifierOf(key string) (note.Verifier, error) {
	verifier, err := note.NewVerifier(key)
	if err == nil {
		return verifier, nil
	}
	parts := strings.SplitN(key, "+", 3)
	if len(parts) != 3 {
		return nil, err
	}
	public, decodeErr := base64.StdEncoding.DecodeString(parts[2])
	hash, parseErr := strconv.ParseUint(parts[1], 16, 32)
	if decodeErr != nil || parseErr != nil || len(public) != 1+ed25519.PublicKeySize || public[0] != 4 {
		return nil, err
	}
	return cosigner{parts[0], uint32(hash), public[1:]}, nil
}

// tiles are ours, by the paths of c2sp.org/tlog-tiles, which leave out Go's height.
type tiles map[string][]byte

func (t tiles) Height() int                     { return 8 }
func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range wanted {
		held, ok := t["tile/"+strings.TrimPrefix(tile.Path(), "tile/8/")]
		if !ok {
			return nil, fmt.Errorf("no %s", tile.Path())
		}
		found = append(found, held)
	}
	return found, nil
}
