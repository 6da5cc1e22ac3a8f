// Command verifier checks a log with the packages that Go's own checksum database is checked with. It knows nothing of
// the program that wrote the log: golang.org/x/mod/sumdb/note opens checkpoints, .../tlog authenticates tiles and proofs.
//
//	verifier log DIR VKEY [OLD]      the copy of a log in DIR, and that it continues the checkpoint in OLD
//	verifier proof PROOF LEAF VKEY   a receipt (tlog-proof) for the entry in the file LEAF
package main

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8
const width = 1 << height

// open verifies a checkpoint by the log's key, and reads its tree.
func open(text []byte, vkey string) (tlog.Tree, error) {
	var tree tlog.Tree
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tree, err
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tree, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() || lines[3] != "" {
		return tree, fmt.Errorf("not a checkpoint of %s: %q", verifier.Name(), opened.Text)
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tree, errors.New("the root is not a hash")
	}
	copy(tree.Hash[:], root)
	return tree, nil
}

// tiles reads tiles of a copy; tlog checks them against the tree before it believes them.
type tiles string

func (dir tiles) Height() int                     { return height }
func (dir tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (dir tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range wanted {
		data, err := os.ReadFile(dir.path(tile, strconv.Itoa(tile.L)))
		if err != nil {
			return nil, err
		}
		if len(data) != tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes", tile.Path(), len(data))
		}
		all = append(all, data)
	}
	return all, nil
}

// path: Go's own log has the height in its paths, tlog-tiles has not.
func (dir tiles) path(tile tlog.Tile, kind string) string {
	rest := strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/%d/", height, tile.L))
	return filepath.Join(string(dir), "tile", kind, filepath.FromSlash(rest))
}

// entries reads one bundle.
func (dir tiles) entries(tile tlog.Tile) ([][]byte, error) {
	data, err := os.ReadFile(dir.path(tile, "entries"))
	if err != nil {
		return nil, err
	}
	var all [][]byte
	for len(data) > 0 {
		if len(data) < 2 {
			return nil, errors.New("a bundle ends within a length")
		}
		length := int(binary.BigEndian.Uint16(data))
		if len(data) < 2+length {
			return nil, errors.New("a bundle ends within an entry")
		}
		all = append(all, data[2:2+length])
		data = data[2+length:]
	}
	if len(all) != tile.W {
		return nil, fmt.Errorf("a bundle of %d entries instead of %d", len(all), tile.W)
	}
	return all, nil
}

// checkLog recomputes a copy: every entry is the leaf at its place, every leaf has a proof, every tile is the tree's.
func checkLog(dir tiles, vkey string, old string) error {
	text, err := os.ReadFile(filepath.Join(string(dir), "checkpoint"))
	if err != nil {
		return err
	}
	tree, err := open(text, vkey)
	if err != nil {
		return err
	}
	reader := tlog.TileHashReader(tree, dir)
	if tree.N > 0 {
		root, err := tlog.TreeHash(tree.N, reader)
		if err != nil {
			return err
		}
		if root != tree.Hash {
			return errors.New("the tiles have another root")
		}
	}
	for n := int64(0); n*width < tree.N; n++ {
		tile := tlog.Tile{H: height, L: 0, N: n, W: width}
		if left := tree.N - n*width; left < width {
			tile.W = int(left)
		}
		entries, err := dir.entries(tile)
		if err != nil {
			return fmt.Errorf("bundle %d: %w", n, err)
		}
		var places []int64
		for i := range entries {
			places = append(places, tlog.StoredHashIndex(0, n*width+int64(i)))
		}
		leaves, err := reader.ReadHashes(places)
		if err != nil {
			return err
		}
		for i, entry := range entries {
			index := n*width + int64(i)
			if tlog.RecordHash(entry) != leaves[i] {
				return fmt.Errorf("entry %d is not the leaf at its place", index)
			}
			proof, err := tlog.ProveRecord(tree.N, index, reader)
			if err != nil {
				return err
			}
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaves[i]); err != nil {
				return err
			}
		}
	}
	// The tiles above the leaves that no proof happened to need.
	for level, count := 0, tree.N; count > 0; level, count = level+1, count/width {
		for n := int64(0); n*width < count; n++ {
			tile := tlog.Tile{H: height, L: level, N: n, W: width}
			if left := count - n*width; left < width {
				tile.W = int(left)
			}
			data, err := dir.ReadTiles([]tlog.Tile{tile})
			if err != nil {
				return err
			}
			for i := 0; i < tile.W; i++ {
				stored := tlog.StoredHashIndex(level*height, n*width+int64(i))
				want, err := reader.ReadHashes([]int64{stored})
				if err != nil {
					return err
				}
				if string(want[0][:]) != string(data[0][i*tlog.HashSize:(i+1)*tlog.HashSize]) {
					return fmt.Errorf("%s is not the tree's", tile.Path())
				}
			}
		}
	}
	if old == "" {
		fmt.Printf("%d entries\n", tree.N)
		return nil
	}
	text, err = os.ReadFile(old)
	if err != nil {
		return err
	}
	before, err := open(text, vkey)
	if err != nil {
		return err
	}
	if before.N > tree.N {
		return fmt.Errorf("the log went back from %d to %d", before.N, tree.N)
	}
	proof, err := tlog.ProveTree(tree.N, before.N, reader)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(proof, tree.N, tree.Hash, before.N, before.Hash); err != nil {
		return err
	}
	fmt.Printf("%d entries, continuing %d\n", tree.N, before.N)
	return nil
}

// checkProof verifies a receipt.
func checkProof(file, leaf, vkey string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	entry, err := os.ReadFile(leaf)
	if err != nil {
		return err
	}
	head, checkpoint, found := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" || !strings.HasPrefix(lines[1], "index ") {
		return errors.New("not a tlog-proof")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		data, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(data) != tlog.HashSize {
			return errors.New("a line of the proof is not a hash")
		}
		var hash tlog.Hash
		copy(hash[:], data)
		proof = append(proof, hash)
	}
	tree, err := open([]byte(checkpoint), vkey)
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry)); err != nil {
		return err
	}
	fmt.Printf("entry %d of %d\n", index, tree.N)
	return nil
}

func main() {
	args := append(os.Args[1:], "")
	var err error
	switch {
	case len(args) >= 4 && args[0] == "log":
		err = checkLog(tiles(args[1]), args[2], args[3])
	case len(args) >= 5 && args[0] == "proof":
		err = checkProof(args[1], args[2], args[3])
	default:
		err = errors.New("usage: verifier log DIR VKEY [OLD] | verifier proof PROOF LEAF VKEY")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
