package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// writeKeys makes the certificate authority, the API server's certificate, its client certificate for kubelets, and the
// key for service accounts.
func (c *ControlPlane) writeKeys() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "debuggable-e2e"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	if c.ca, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	c.caKey = key
	caKey, err := pemKey(key)
	if err != nil {
		return err
	}
	server, serverKey, err := c.issue(pkix.Name{CommonName: "kube-apiserver"}, x509.ExtKeyUsageServerAuth)
	if err != nil {
		return err
	}
	kubelet, kubeletKey, err := c.issue(pkix.Name{CommonName: "kube-apiserver", Organization: []string{"system:masters"}},
		x509.ExtKeyUsageClientAuth)
	if err != nil {
		return err
	}
	sa, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	saKey, err := pemKey(sa)
	if err != nil {
		return err
	}
	for path, content := range map[string][]byte{
		c.CAFile: pemCertificate(der), c.CAKeyFile: caKey, c.ServiceAccountKeyFile: saKey,
		filepath.Join(c.Dir, "server.crt"): server, filepath.Join(c.Dir, "server.key"): serverKey,
		filepath.Join(c.Dir, "kubelet-client.crt"): kubelet, filepath.Join(c.Dir, "kubelet-client.key"): kubeletKey,
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// issue returns a certificate and its key, both PEM, signed by the control plane's authority.
func (c *ControlPlane) issue(subject pkix.Name, usage x509.ExtKeyUsage) (cert, key []byte, err error) {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, nil, err
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: subject,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, c.ca, &private.PublicKey, c.caKey)
	if err != nil {
		return nil, nil, err
	}
	key, err = pemKey(private)
	return pemCertificate(der), key, err
}

func pemCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func pemKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}
