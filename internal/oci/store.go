package oci

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
)

const maxCredentialBytes = 4 * mib

// store finds credentials in docker's and podman's files. It reads the files itself, since podman's keys may be longer than a host
// (quay.io/team) and such a credential must not serve another team's repositories; helpers are run by the registry library.
type store struct {
	files []credentialFile
}

// credentialFile is the part of config.json (docker) and auth.json (podman) that concerns credentials.
// https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md
type credentialFile struct {
	Auths       map[string]credentialEntry `json:"auths"`
	CredsStore  string                     `json:"credsStore"`
	CredHelpers map[string]string          `json:"credHelpers"`
}

type credentialEntry struct {
	Auth          string `json:"auth"`
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

// CredentialPaths lists where podman and docker keep credentials, in the order in which krmsafe asks them: $REGISTRY_AUTH_FILE, docker's
// config.json, podman's auth.json of this login, and podman's auth.json of this user. getenv is os.Getenv in a command. A file need
// not exist.
func CredentialPaths(getenv func(string) string) []string {
	var paths []string
	add := func(dir string, names ...string) {
		if dir != "" {
			paths = append(paths, filepath.Join(append([]string{dir}, names...)...))
		}
	}
	home := getenv("HOME")
	under := func(variable string, names ...string) string {
		if dir := getenv(variable); dir != "" || home == "" {
			return dir
		}
		return filepath.Join(append([]string{home}, names...)...)
	}
	add(getenv("REGISTRY_AUTH_FILE"))
	add(under("DOCKER_CONFIG", ".docker"), "config.json")
	add(getenv("XDG_RUNTIME_DIR"), "containers", "auth.json")
	add(under("XDG_CONFIG_HOME", ".config"), "containers", "auth.json")
	return paths
}

func newStore(paths []string) (*store, error) {
	s := &store{}
	for _, path := range paths {
		file, err := readCredentialFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, &ConfigError{"CredentialFiles", fmt.Sprintf("%q: %v", path, err)}
		}
		s.files = append(s.files, file)
	}
	return s, nil
}

func readCredentialFile(path string) (credentialFile, error) {
	f, err := os.Open(path) //nolint:gosec // G304: the operator's own file
	if err != nil {
		return credentialFile{}, err
	}
	defer f.Close() //nolint:errcheck // read only
	body, err := readBounded(f, "credentials file", -1, bound{"credential_bytes", "CredentialFiles", maxCredentialBytes})
	if err != nil {
		return credentialFile{}, err
	}
	var file credentialFile
	if len(strings.TrimSpace(string(body))) == 0 {
		return file, nil
	}
	if err := json.Unmarshal(body, &file); err != nil {
		return credentialFile{}, errors.New("it is not well-formed JSON") // the cause could quote a password
	}
	for _, helper := range file.CredHelpers {
		if err := checkHelper(helper); err != nil {
			return credentialFile{}, err
		}
	}
	return file, checkHelper(file.CredsStore)
}

// checkHelper keeps a helper's name from becoming a path.
func checkHelper(name string) error {
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "" {
		return fmt.Errorf("%q is not the name of a credential helper", shorten(name, 100))
	}
	return nil
}

// find looks for the credential of a repository: file by file, in each a helper for the registry before the general helper before the
// file's own entries, and among those the longest key that holds the repository. None is no error.
func (s *store) find(ctx context.Context, registry, repo string) (auth.Credential, error) {
	for _, f := range s.files {
		helper := f.CredHelpers[registry]
		if helper == "" {
			helper = f.CredHelpers[serverAddress(registry)]
		}
		if helper == "" {
			helper = f.CredsStore
		}
		if helper != "" {
			cred, err := credentials.NewNativeStore(helper).Get(ctx, serverAddress(registry))
			if err != nil {
				return auth.EmptyCredential, fmt.Errorf("docker-credential-%s: %s", helper, shorten(reason(err), 200))
			}
			if !isAnonymous(cred) {
				return cred, nil
			}
		}
		if entry, ok := f.entry(registry, repo); ok {
			cred, err := entry.credential()
			if err != nil || !isAnonymous(cred) {
				return cred, err
			}
		}
	}
	return auth.EmptyCredential, nil
}

// token gives the static bearer token of a repository, where a file has one. It is sent as it is, so that a registry whose token
// service cannot be used can still be read.
func (s *store) token(registry, repo string) string {
	for _, f := range s.files {
		if entry, ok := f.entry(registry, repo); ok && entry.RegistryToken != "" {
			return entry.RegistryToken
		}
	}
	return ""
}

// entry finds the most specific key. Docker writes Docker Hub's as an URL, and older versions wrote all of them so.
func (f credentialFile) entry(registry, repo string) (credentialEntry, bool) {
	for name := registry + "/" + repo; ; {
		for key, entry := range f.Auths {
			if entryName(key) == name {
				return entry, true
			}
		}
		cut := strings.LastIndexByte(name, '/')
		if cut < 0 {
			return credentialEntry{}, false
		}
		name = name[:cut]
	}
}

// entryName reduces a key to registry[/path].
func entryName(key string) string {
	legacy := strings.HasPrefix(key, "https://") || strings.HasPrefix(key, "http://")
	key = strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://")
	host, _, _ := strings.Cut(key, "/")
	switch {
	case host == "index.docker.io" || host == "registry-1.docker.io":
		return "docker.io"
	case legacy:
		return host
	}
	return strings.TrimSuffix(key, "/")
}

func (e credentialEntry) credential() (auth.Credential, error) {
	cred := auth.Credential{Username: e.Username, Password: e.Password, RefreshToken: e.IdentityToken, AccessToken: e.RegistryToken}
	if e.Auth != "" {
		plain, err := base64.StdEncoding.DecodeString(e.Auth)
		user, password, ok := strings.Cut(string(plain), ":")
		if err != nil || !ok {
			return auth.EmptyCredential, errors.New("the auth entry of the credentials file is not base64 of user:password")
		}
		cred.Username, cred.Password = user, strings.TrimRight(password, "\x00")
	}
	return cred, nil
}

func isAnonymous(c auth.Credential) bool { return c == auth.EmptyCredential }

func serverAddress(registry string) string { return credentials.ServerAddressFromRegistry(registry) }
