// Command tessera runs a log that is not Fondaco's: a POSIX log of github.com/transparency-dev/tessera, as its makers
// ship it. It is what Fondaco's witness is tried with, and what the rate of Fondaco's log is compared with.
//
//	tessera key DIR ORIGIN               makes a log's key in DIR, and prints the key of its verifier
//	tessera grow DIR POLICY COUNT SECONDS
//	                                     adds COUNT entries to the log in DIR; within SECONDS a checkpoint must be published
//	                                     that satisfies the tlog-policy in POLICY, whose witnesses are asked
//	tessera satisfied POLICY CHECKPOINT  whether a checkpoint of any log, in a file, satisfies a policy: its log line and its
//	                                     quorum
//	tessera rate DIR ENTRIES BYTES CALLERS TOGETHER BATCH
//	                                     adds ENTRIES of BYTES each to a new log in DIR, by CALLERS that add TOGETHER at a
//	                                     time and wait for them, written in batches of BATCH; prints how many a second
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

const (
	// The least that the driver permits.
	checkpointInterval = 100 * time.Millisecond
	// A batch that does not fill goes out after this.
	batchAge = 50 * time.Millisecond
	// The driver publishes after each batch, or never.
	publishedWithin = 30 * time.Second
	keyFile         = "log.key"
)

// start opens the log in a folder, or makes it.
func start(ctx context.Context, dir string, options *tessera.AppendOptions) (
	*tessera.Appender, func(context.Context) error, tessera.LogReader, error,
) {
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		return nil, nil, nil, err
	}
	return tessera.NewAppender(ctx, driver, options)
}

// published waits for a checkpoint of at least this size.
func published(ctx context.Context, reader tessera.LogReader, size uint64, within time.Duration) ([]byte, error) {
	deadline := time.Now().Add(within)
	for {
		checkpoint, err := reader.ReadCheckpoint(ctx)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		if lines := strings.Split(string(checkpoint), "\n"); len(lines) > 1 {
			found, err := strconv.ParseUint(lines[1], 10, 64)
			if err != nil {
				return nil, err
			}
			if found >= size {
				return checkpoint, nil
			}
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("no checkpoint of size %d is published", size)
		}
		time.Sleep(time.Millisecond)
	}
}

// size sums the files of a folder.
func size(dir string) (int64, error) {
	var sum int64
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	return sum, err
}

// makeKey makes a log's key.
func makeKey(dir, origin string) error {
	private, public, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, keyFile), []byte(private), 0o600); err != nil {
		return err
	}
	fmt.Println(public)
	return nil
}

// grow adds entries, and waits until a checkpoint with them has been witnessed and published.
func grow(dir, policyFile string, count int, within time.Duration) error {
	private, err := os.ReadFile(filepath.Join(dir, keyFile))
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(string(private))
	if err != nil {
		return err
	}
	policy, err := os.ReadFile(policyFile)
	if err != nil {
		return err
	}
	witnesses, err := tessera.NewWitnessGroupFromPolicy(policy)
	if err != nil {
		return err
	}
	ctx := context.Background()
	options := tessera.NewAppendOptions().WithCheckpointSigner(signer).WithBatching(256, batchAge).
		WithCheckpointInterval(checkpointInterval).WithWitnesses(witnesses, nil)
	appender, shutdown, reader, err := start(ctx, filepath.Join(dir, "tiles"), options)
	if err != nil {
		return err
	}
	before, err := reader.NextIndex(ctx)
	if err != nil {
		return err
	}
	var futures []tessera.IndexFuture
	for n := range count {
		// A secret of each run: a folder that was copied grows into another tree.
		data := fmt.Sprintf("entry %d %s", before+uint64(n), rand.Text())
		futures = append(futures, appender.Add(ctx, tessera.NewEntry([]byte(data))))
	}
	for _, future := range futures {
		if _, err := future(); err != nil {
			return err
		}
	}
	checkpoint, err := published(ctx, reader, before+uint64(count), within)
	if err != nil {
		return err
	}
	if !witnesses.Satisfied(checkpoint) {
		return errors.New("the published checkpoint does not satisfy the policy")
	}
	fmt.Printf("%s", checkpoint)
	return shutdown(ctx)
}

// satisfied verifies a checkpoint as Tessera would: signed by the policy's log, cosigned by its quorum.
func satisfied(policyFile, checkpointFile string) error {
	policy, err := os.ReadFile(policyFile)
	if err != nil {
		return err
	}
	checkpoint, err := os.ReadFile(checkpointFile)
	if err != nil {
		return err
	}
	witnesses, err := tessera.NewWitnessGroupFromPolicy(policy)
	if err != nil {
		return err
	}
	// Tessera itself has no use for the log line.
	var logs []note.Verifier
	for line := range strings.Lines(string(policy)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "log" {
			verifier, err := note.NewVerifier(fields[1])
			if err != nil {
				return err
			}
			logs = append(logs, verifier)
		}
	}
	opened, err := note.Open(checkpoint, note.VerifierList(logs...))
	if err != nil {
		return err
	}
	if origin, _, _ := strings.Cut(opened.Text, "\n"); origin != opened.Sigs[0].Name {
		return fmt.Errorf("a checkpoint of %q, signed by %q", origin, opened.Sigs[0].Name)
	}
	if !witnesses.Satisfied(checkpoint) {
		return errors.New("the quorum is not reached")
	}
	return nil
}

func run(args []string) error {
	number := func(text string) (int, error) {
		n, err := strconv.Atoi(text)
		if err == nil && n < 1 {
			err = fmt.Errorf("%q is less than 1", text)
		}
		return n, err
	}
	switch {
	case len(args) == 3 && args[0] == "key":
		return makeKey(args[1], args[2])
	case len(args) == 5 && args[0] == "grow":
		count, err := number(args[3])
		if err != nil {
			return err
		}
		seconds, err := number(args[4])
		if err != nil {
			return err
		}
		return grow(args[1], args[2], count, time.Duration(seconds)*time.Second)
	case len(args) == 3 && args[0] == "satisfied":
		return satisfied(args[1], args[2])
	case len(args) == 7 && args[0] == "rate":
		var numbers [5]int
		for i, text := range args[2:] {
			n, err := number(text)
			if err != nil {
				return err
			}
			numbers[i] = n
		}
		return rate(args[1], load{
			entries: numbers[0], bytes: numbers[1], callers: numbers[2], together: numbers[3], batch: uint(numbers[4]),
		})
	default:
		return errors.New("usage: tessera key DIR ORIGIN | grow DIR POLICY COUNT SECONDS | satisfied POLICY CHECKPOINT | rate DIR ENTRIES BYTES CALLERS TOGETHER BATCH")
	}
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
