package ui

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
)

// staticPath is where styles and scripts are. Each address holds a hash of the
// content, so that browsers keep it for good and never show an old one.
const staticPath = "/static/"

//go:embed static
var staticFiles embed.FS

// statics are the files by the names in their addresses, and staticNames those
// names by the files' own.
var statics, staticNames = readStatic()

func readStatic() (map[string][]byte, map[string]string) {
	byAddress, names := map[string][]byte{}, map[string]string{}
	entries, err := fs.ReadDir(staticFiles, "static")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		hashed(e.Name(), byAddress, names)
	}
	return byAddress, names
}

// imported is how a module names another one.
var imported = regexp.MustCompile(`"\./([a-z]+\.js)"`)

// hashed names a file by its content. The modules that it imports come first,
// since their names are part of it.
func hashed(name string, byAddress map[string][]byte, names map[string]string) string {
	if known := names[name]; known != "" {
		return known
	}
	content, err := staticFiles.ReadFile("static/" + name)
	if err != nil {
		panic(err)
	}
	content = imported.ReplaceAllFunc(content, func(quoted []byte) []byte {
		module := imported.FindSubmatch(quoted)[1]
		return []byte(`"./` + hashed(string(module), byAddress, names) + `"`)
	})
	sum := sha256.Sum256(content)
	ext := path.Ext(name)
	names[name] = strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
	byAddress[names[name]] = content
	return names[name]
}

// staticURL is the address of a file.
func staticURL(name string) string { return staticPath + staticNames[name] }

var staticTypes = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

func serveStatic(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, staticPath)
	content, known := statics[name]
	if !known {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", staticTypes[path.Ext(name)])
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Write(content)
}
