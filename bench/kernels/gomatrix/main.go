// Command gomatrix multiplies matrices and hashes the product.
package main

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
)

const n = 160

func main() {
	a, b, c := make([]float64, n*n), make([]float64, n*n), make([]float64, n*n)
	for i := range a {
		a[i], b[i] = float64(i%97), float64(i%89)
	}
	h := sha256.New()
	buf := make([]byte, 0, n*n*8)
	for range 3 {
		for i := range n {
			for j := range n {
				s := 0.0
				for k := range n {
					s += a[i*n+k] * b[k*n+j]
				}
				c[i*n+j] = s
			}
		}
		buf = buf[:0]
		for _, v := range c {
			buf = binary.LittleEndian.AppendUint64(buf, math.Float64bits(v))
		}
		for range 4 {
			h.Write(buf)
		}
		a[0]++
	}
	fmt.Printf("%x\n", h.Sum(nil))
}
