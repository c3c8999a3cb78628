package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/s2"
)

// A packed blob is one byte that says how it is packed, then the rest.
const (
	packedS2     = 1 << 0 // S2 with dictionary 1
	packedAESGCM = 1 << 1 // AES-256-GCM: 12 bytes of nonce, then the sealed text
)

// maxCompressed bounds what is compressed: a blob says itself how much it
// unpacks to, and a damaged one may say anything. It is several of the largest
// bodies that the webhook door takes.
const maxCompressed = 64 << 20

// dictionary1 is an order in Shopify's own words. Bodies are alike enough that
// matching against it halves them. It is part of the file format: never change
// it, add a second one.
//
//go:embed dictionary1.json
var dictionary1 []byte

// scratchPool holds buffers large enough for the worst case of compression, so
// that a request allocates only what it keeps.
var scratchPool = sync.Pool{New: func() any { return new([]byte) }}

// codec packs and unpacks blobs. It is safe for concurrent use.
type codec struct {
	dict *s2.Dict
	seal cipher.AEAD // nil: blobs are stored in clear
	key  string      // fingerprint of the key, "" without one
}

// newCodec takes a key of 32 bytes, or none.
func newCodec(key []byte) (*codec, error) {
	dict := s2.NewDict(append([]byte{0}, dictionary1...))
	if dict == nil {
		return nil, errors.New("the embedded compression dictionary is invalid")
	}
	if len(key) == 0 {
		return &codec{dict: dict}, nil
	}
	block, err := aes.NewCipher(key)
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("the encryption key has %d bytes; it must have 32", len(key))
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(append([]byte("gapless key fingerprint"), key...))
	return &codec{dict: dict, seal: seal, key: hex.EncodeToString(sum[:8])}, nil
}

// sealed says whether a blob needs no encryption any more: it has it, or there is no key.
func (c *codec) sealed(blob []byte) bool { return c.seal == nil || blob[0]&packedAESGCM != 0 }

// pack makes a blob of plain. Bodies that don't get smaller are kept as they are.
func (c *codec) pack(plain []byte) []byte {
	scratch := scratchPool.Get().(*[]byte)
	defer scratchPool.Put(scratch)
	how, data := c.compress(plain, scratch)
	if c.seal == nil {
		blob := make([]byte, 1, 1+len(data))
		blob[0] = how
		return append(blob, data...)
	}
	how |= packedAESGCM
	blob := make([]byte, 1+c.seal.NonceSize(), 1+c.seal.NonceSize()+len(data)+c.seal.Overhead())
	blob[0] = how
	rand.Read(blob[1:]) // never fails
	return c.seal.Seal(blob, blob[1:1+c.seal.NonceSize()], data, blob[:1])
}

func (c *codec) compress(plain []byte, scratch *[]byte) (how byte, data []byte) {
	if len(plain) > maxCompressed {
		return 0, plain
	}
	if need := s2.MaxEncodedLen(len(plain)); cap(*scratch) < need {
		*scratch = make([]byte, need)
	}
	if data = c.dict.Encode((*scratch)[:cap(*scratch)], plain); len(data) < len(plain) {
		return packedS2, data
	}
	return 0, plain
}

// unpack gives back what pack was given.
func (c *codec) unpack(blob []byte) ([]byte, error) {
	if len(blob) == 0 {
		return nil, errors.New("an empty blob")
	}
	how, data := blob[0], blob[1:]
	if how&^(packedS2|packedAESGCM) != 0 {
		return nil, fmt.Errorf("a blob is packed in a way (%d) that this version does not know", how)
	}
	if how&packedAESGCM != 0 {
		var err error
		if data, err = c.open(how, data); err != nil {
			return nil, err
		}
	}
	if how&packedS2 != 0 {
		return c.expand(data)
	}
	return append([]byte(nil), data...), nil
}

func (c *codec) expand(data []byte) ([]byte, error) {
	if size, err := s2.DecodedLen(data); err != nil || size > maxCompressed {
		return nil, errors.New("a compressed blob is damaged: it claims an impossible size")
	}
	return c.dict.Decode(nil, data)
}

func (c *codec) open(how byte, data []byte) ([]byte, error) {
	if c.seal == nil {
		return nil, errors.New("the blob is encrypted; set store.encryption_key to the key it was written with")
	}
	if len(data) < c.seal.NonceSize() {
		return nil, errors.New("an encrypted blob is cut short")
	}
	nonce, sealed := data[:c.seal.NonceSize()], data[c.seal.NonceSize():]
	plain, err := c.seal.Open(nil, nonce, sealed, []byte{how})
	if err != nil {
		return nil, errors.New("an encrypted blob does not open; store.encryption_key is not the key it was written with, or the file is damaged")
	}
	return plain, nil
}
