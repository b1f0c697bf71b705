package layout

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
)

// Media types of image layers.
const (
	TypeTar         = "application/vnd.oci.image.layer.v1.tar"
	TypeTarGzip     = "application/vnd.oci.image.layer.v1.tar+gzip"
	TypeDockerTarGz = "application/vnd.docker.image.rootfs.diff.tar.gzip"
)

// File is one entry of a tar archive. Type 0 means a regular file.
type File struct {
	Name string
	Body []byte
	Type byte
	Link string
}

// Tar packs files.
func Tar(files ...File) []byte {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		if f.Type == 0 {
			f.Type = tar.TypeReg
		}
		h := &tar.Header{Name: f.Name, Mode: 0o644, Size: int64(len(f.Body)), Typeflag: f.Type, Linkname: f.Link}
		if err := w.WriteHeader(h); err != nil {
			panic(err) // a test's own mistake
		}
		_, _ = w.Write(f.Body)
	}
	_ = w.Close()
	return buf.Bytes()
}

// Gzip compresses b.
func Gzip(b []byte) []byte {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, _ = w.Write(b)
	_ = w.Close()
	return buf.Bytes()
}

// Layer is one layer of an image: its media type, its blob, and the archive the blob unpacks to.
type Layer struct {
	MediaType string
	Blob      []byte
	Plain     []byte
}

// TarLayer is an uncompressed layer.
func TarLayer(files ...File) Layer {
	t := Tar(files...)
	return Layer{TypeTar, t, t}
}

// GzipLayer is a compressed layer.
func GzipLayer(files ...File) Layer {
	t := Tar(files...)
	return Layer{TypeTarGzip, Gzip(t), t}
}

// Image makes a container image for os/arch.
func (s Blobs) Image(os, arch string, layers ...Layer) Descriptor {
	diffs := []string{}
	m := Manifest{}
	for _, l := range layers {
		diffs = append(diffs, Digest(l.Plain))
		m.Layers = append(m.Layers, s.Add(l.MediaType, l.Blob))
	}
	config := s.AddJSON(TypeImageConfig, map[string]any{"architecture": arch, "os": os, "rootfs": map[string]any{"type": "layers", "diff_ids": diffs}})
	m.Config = &config
	return s.AddManifest(m)
}
