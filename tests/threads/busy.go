package main

import (
	"fmt"
	"runtime"
	"sync"
	"time"
)

func work(n uint64, id int) uint64 {
	h := uint64(id)
	for i := uint64(0); i < n; i++ {
		h = (h ^ i) * 0x100000001b3
	}
	return h
}

func main() {
	runtime.GOMAXPROCS(4)
	var wg sync.WaitGroup
	var mu sync.Mutex
	sum, n := uint64(0), 0
	ch := make(chan int)
	go func() {
		for i := 0; i < 30; i++ {
			ch <- i
			time.Sleep(time.Millisecond)
		}
		close(ch)
	}()
	for i := 0; i < 6; i++ {
		wg.Add(1)
		go func(id int) {
			defer wg.Done()
			for k := 0; k < 4; k++ {
				v := work(8000000, id)
				mu.Lock()
				sum += v
				mu.Unlock()
			}
		}(i)
	}
	for v := range ch {
		n += v
	}
	wg.Wait()
	runtime.GC()
	fmt.Println(sum, n)
}
