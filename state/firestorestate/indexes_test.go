package firestorestate_test

import (
	"context"
	"net"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	admin "cloud.google.com/go/firestore/apiv1/admin"
	"cloud.google.com/go/firestore/apiv1/admin/adminpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/fileloft/fileloft/state/firestorestate"
)

const database = "projects/p/databases/(default)"

// registry is the part of Firestore's administration that keeps indexes, as Google documents it: a field that nobody has
// set up inherits its indexes, an index takes a while to be built, and lists the document's name as its last field.
type registry struct {
	adminpb.UnimplementedFirestoreAdminServer

	mu      sync.Mutex
	fields  map[string]*adminpb.Field
	indexes []*adminpb.Index
	looks   int // how often a new index is still being built
	writes  []string
}

func (r *registry) GetField(_ context.Context, req *adminpb.GetFieldRequest) (*adminpb.Field, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.fields[path.Base(req.GetName())]; f != nil {
		return f, nil
	}
	return &adminpb.Field{Name: req.GetName(), IndexConfig: &adminpb.Field_IndexConfig{
		UsesAncestorConfig: true, Indexes: []*adminpb.Index{{}, {}},
	}}, nil
}

func (r *registry) UpdateField(_ context.Context, req *adminpb.UpdateFieldRequest) (*longrunningpb.Operation, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := path.Base(req.GetField().GetName())
	f := r.fields[name]
	if f == nil {
		f = &adminpb.Field{Name: req.GetField().GetName()}
	}
	f = proto.Clone(f).(*adminpb.Field)
	for _, p := range req.GetUpdateMask().GetPaths() {
		r.writes = append(r.writes, name+" "+p)
		switch p {
		case "index_config":
			f.IndexConfig = req.GetField().GetIndexConfig()
		case "ttl_config":
			if f.TtlConfig = req.GetField().GetTtlConfig(); f.TtlConfig != nil {
				f.TtlConfig = &adminpb.Field_TtlConfig{State: adminpb.Field_TtlConfig_CREATING}
			}
		}
	}
	r.fields[name] = f
	return &longrunningpb.Operation{Name: database + "/operations/1"}, nil
}

func (r *registry) ListIndexes(_ context.Context, req *adminpb.ListIndexesRequest) (*adminpb.ListIndexesResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.looks--; r.looks <= 0 {
		for _, index := range r.indexes {
			if index.GetState() == adminpb.Index_CREATING {
				index.State = adminpb.Index_READY
			}
		}
	}
	res := &adminpb.ListIndexesResponse{}
	for _, index := range r.indexes {
		res.Indexes = append(res.Indexes, proto.Clone(index).(*adminpb.Index))
	}
	return res, nil
}

func (r *registry) CreateIndex(_ context.Context, req *adminpb.CreateIndexRequest) (*longrunningpb.Operation, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, index := range r.indexes {
		if index.GetFields()[0].GetFieldPath() == "shard" {
			return nil, status.Error(codes.AlreadyExists, "index already exists")
		}
	}
	index := proto.Clone(req.GetIndex()).(*adminpb.Index)
	index.Name, index.State = req.GetParent()+"/indexes/1", adminpb.Index_CREATING
	var names []string
	for _, f := range index.GetFields() {
		names = append(names, f.GetFieldPath()+" "+f.GetOrder().String())
	}
	index.Fields = append(index.Fields, &adminpb.Index_IndexField{
		FieldPath: "__name__", ValueMode: &adminpb.Index_IndexField_Order_{Order: adminpb.Index_IndexField_ASCENDING},
	})
	r.indexes = append(r.indexes, index)
	r.writes = append(r.writes, "index on "+strings.Join(names, ", ")+" of "+path.Base(req.GetParent()))
	return &longrunningpb.Operation{Name: database + "/operations/2"}, nil
}

// administration returns a client of a registry.
func administration(t *testing.T, r *registry) *admin.FirestoreAdminClient {
	t.Helper()
	l := try(net.Listen("tcp", "127.0.0.1:0"))(t)
	server := grpc.NewServer()
	adminpb.RegisterFirestoreAdminServer(server, r)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	conn := try(grpc.NewClient("passthrough:///"+l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials())))(t)
	client := try(admin.NewFirestoreAdminClient(t.Context(), option.WithGRPCConn(conn)))(t)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestCreateIndexes(t *testing.T) {
	r := &registry{fields: map[string]*adminpb.Field{}, looks: 2}
	client := administration(t, r)
	// An index of another query, which must neither be taken for ours nor be touched.
	r.indexes = []*adminpb.Index{{Name: "other", State: adminpb.Index_READY, QueryScope: adminpb.Index_COLLECTION, Fields: []*adminpb.Index_IndexField{
		{FieldPath: "bucket", ValueMode: &adminpb.Index_IndexField_Order_{Order: adminpb.Index_IndexField_DESCENDING}},
		{FieldPath: "shard", ValueMode: &adminpb.Index_IndexField_Order_{Order: adminpb.Index_IndexField_ASCENDING}},
	}}}
	want := []string{
		"record index_config", "shard index_config", "bucket index_config", "expireAt index_config", "expireAt ttl_config",
		"index on shard ASCENDING, bucket ASCENDING of fileloft",
	}
	for range 2 { // it can be repeated, and then has nothing to do
		noError(t, firestorestate.CreateIndexes(t.Context(), client, database, "fileloft"))
		if !slices.Equal(r.writes, want) {
			t.Errorf("set up: %q, want %q", r.writes, want)
		}
	}
	for name, f := range r.fields {
		if c := f.GetIndexConfig(); c == nil || len(c.GetIndexes()) > 0 {
			t.Errorf("the field %s is indexed: %v", name, f)
		}
	}

	// What is half there is completed, what somebody changed is put right.
	r.fields["expireAt"].TtlConfig.State = adminpb.Field_TtlConfig_NEEDS_REPAIR
	r.fields["record"].IndexConfig.Indexes = []*adminpb.Index{{}}
	r.writes = nil
	noError(t, firestorestate.CreateIndexes(t.Context(), client, database, "fileloft"))
	if !slices.Equal(r.writes, []string{"record index_config", "expireAt ttl_config"}) {
		t.Errorf("repaired: %q", r.writes)
	}
}

func TestCreateIndexesSaysWhatIsWrong(t *testing.T) {
	broken := &registry{fields: map[string]*adminpb.Field{}, looks: 1 << 30}
	client := administration(t, broken)
	if err := firestorestate.CreateIndexes(t.Context(), client, database, "a/b"); err == nil || !strings.Contains(err.Error(), "name of a collection") {
		t.Errorf("a bad name: %v", err)
	}
	if len(broken.writes) > 0 {
		t.Errorf("set up for a bad name: %q", broken.writes)
	}
	soon, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := firestorestate.CreateIndexes(soon, client, database, "fileloft"); err == nil || !strings.Contains(err.Error(), "waiting until the index is built") {
		t.Errorf("an index that takes too long: %v", err)
	}
	broken.mu.Lock()
	broken.indexes[0].State = adminpb.Index_NEEDS_REPAIR
	broken.mu.Unlock()
	if err := firestorestate.CreateIndexes(t.Context(), client, database, "fileloft"); err == nil || !strings.Contains(err.Error(), "needs repair") {
		t.Errorf("a broken index: %v", err)
	}
}
