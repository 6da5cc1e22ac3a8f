package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/transparency-dev/tessera"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/sync/errgroup"
)

// result is what one measurement found.
type result struct {
	Entries   int     `json:"entries"`
	Bytes     int     `json:"entryBytes"`
	Batch     uint    `json:"batch"`
	PerSecond float64 `json:"leavesPerSecond"`
	Stored    float64 `json:"storedBytes"`
}

// load is what a log is asked to take: `callers` at once add `together` entries of `bytes` each, wait until those have
// their places, and go on, until there are `entries`. The driver gathers up to `batch` of them before it writes.
type load struct {
	entries, bytes, callers, together int
	batch                             uint
}

// rate measures a load. The clock stops when each entry has its place, durably and in the tree, and a published checkpoint
// covers all of them.
//
// Durability is the driver's own, and nothing of it is switched off: entries, tiles, tree state and checkpoint are written
// with O_SYNC, renamed into place, and their folders are synced, before an addition is acknowledged. Antispam, which looks
// for duplicates, is left out: it would only cost.
func rate(dir string, load load) error {
	if load.bytes < 8 {
		return errors.New("an entry has at least the 8 bytes that tell it from others")
	}
	private, _, err := note.GenerateKey(rand.Reader, "rate.example/log")
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		return err
	}
	// What nothing compresses, and every entry another.
	body := make([]byte, load.bytes)
	if _, err := rand.Read(body); err != nil {
		return err
	}
	ctx := context.Background()
	options := tessera.NewAppendOptions().WithCheckpointSigner(signer).
		WithBatching(load.batch, batchAge).WithCheckpointInterval(checkpointInterval)
	appender, shutdown, reader, err := start(ctx, dir, options)
	if err != nil {
		return err
	}
	each := load.entries / load.callers / load.together
	all := each * load.together * load.callers
	var callers errgroup.Group
	began := time.Now()
	for caller := range load.callers {
		callers.Go(func() error {
			futures := make([]tessera.IndexFuture, load.together)
			for round := range each {
				for i := range futures {
					data := bytes.Clone(body)
					binary.BigEndian.PutUint64(data, uint64((caller*each+round)*load.together+i))
					futures[i] = appender.Add(ctx, tessera.NewEntry(data))
				}
				for _, future := range futures {
					if _, err := future(); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	if err := callers.Wait(); err != nil {
		return err
	}
	if _, err := published(ctx, reader, uint64(all), publishedWithin); err != nil {
		return err
	}
	seconds := time.Since(began).Seconds()
	integrated, err := reader.IntegratedSize(ctx)
	if err != nil {
		return err
	}
	if integrated != uint64(all) {
		return fmt.Errorf("%d entries are in the tree instead of %d", integrated, all)
	}
	if err := shutdown(ctx); err != nil {
		return err
	}
	stored, err := size(dir)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result{
		Entries: all, Bytes: load.bytes, Batch: load.batch,
		PerSecond: float64(all) / seconds, Stored: float64(stored) / float64(all),
	})
}
