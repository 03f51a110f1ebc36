package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

const (
	firestoreJar = "bin/cloud-firestore-emulator.jar"
	ownJava      = "bin/jre/bin/java" // where the system has none
)

// Firestore starts Google's Firestore emulator, empty and in memory, and returns its address. It takes any project and no
// credentials. It takes some seconds to start: tests had better share one and have a project each.
func Firestore(t testing.TB) string {
	t.Helper()
	java, args, err := firestore()
	if err != nil {
		missing(t, err)
	}
	return launchForTest(t, java, args).Addr
}

// StartFirestore does the same for a program.
func StartFirestore(ctx context.Context) (*Process, error) {
	java, args, err := firestore()
	if err != nil {
		return nil, err
	}
	return start(ctx, java, args)
}

// firestore returns the program that runs the emulator, and its arguments.
func firestore() (java string, args func(host, port string) []string, err error) {
	jar, err := inModule(firestoreJar)
	if err == nil {
		_, err = os.Stat(jar)
	}
	if err != nil {
		return "", nil, fmt.Errorf("servers: %s is missing (make servers): %w", firestoreJar, err)
	}
	if java, err = exec.LookPath("java"); err != nil {
		var own error
		if java, own = find(ownJava); own != nil {
			return "", nil, fmt.Errorf("servers: the Firestore emulator needs Java: %w", err)
		}
	}
	return java, func(host, port string) []string {
		return []string{
			"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", jar, // a short life
			"com.google.cloud.datastore.emulator.firestore.CloudFirestore", "--host=" + host, "--port=" + port,
		}
	}, nil
}
