// Manifests reads a compose file and a kustomization as their own tools do, strictly, and prints what it found as JSON: so that a
// misspelt field is found without a cluster or an engine.
//
//	manifests COMPOSE-FILE KUSTOMIZATION-DIRECTORY
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: manifests COMPOSE-FILE KUSTOMIZATION-DIRECTORY")
		os.Exit(2)
	}
	found, err := read(os.Args[1], os.Args[2])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(found)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "manifests:", err)
		os.Exit(1)
	}
}

// found is what was read: the compose project, and the objects by kind.
type found struct {
	Compose    any
	Kubernetes map[string]any
}

func read(compose, kustomization string) (found, error) {
	f := found{Kubernetes: map[string]any{}}
	opts, err := cli.NewProjectOptions([]string{compose}, cli.WithName("fileloft"))
	if err != nil {
		return f, err
	}
	if f.Compose, err = opts.LoadProject(context.Background()); err != nil {
		return f, fmt.Errorf("%s: %w", compose, err)
	}
	objects, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), kustomization)
	if err != nil {
		return f, err
	}
	for _, o := range objects.Resources() {
		text, err := o.AsYAML()
		if err != nil {
			return f, err
		}
		into, ok := kinds()[o.GetKind()]
		if !ok {
			return f, fmt.Errorf("%s: nobody here knows the kind %s", kustomization, o.GetKind())
		}
		if err := yaml.UnmarshalStrict(text, into); err != nil {
			return f, fmt.Errorf("%s %s: %w", o.GetKind(), o.GetName(), err)
		}
		f.Kubernetes[o.GetKind()] = into
	}
	return f, nil
}

func kinds() map[string]any {
	return map[string]any{
		"ConfigMap": new(corev1.ConfigMap), "ServiceAccount": new(corev1.ServiceAccount), "Service": new(corev1.Service),
		"Deployment": new(appsv1.Deployment), "PodDisruptionBudget": new(policyv1.PodDisruptionBudget), "Ingress": new(networkingv1.Ingress),
	}
}
