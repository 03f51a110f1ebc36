package main

import (
	"encoding/json"
	"errors"
	"fmt"
)

// An event is any of the events that the function knows.
type event struct {
	// All doors.
	Headers         map[string]string `json:"headers"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
	RequestContext  requestContext    `json:"requestContext"`

	// Payload 2.0: HTTP API and Function URL.
	Version        string   `json:"version"`
	RawPath        string   `json:"rawPath"`
	RawQueryString string   `json:"rawQueryString"`
	Cookies        []string `json:"cookies"`

	// Payload 1.0: REST API, HTTP API by choice; and load balancers.
	HTTPMethod                      string              `json:"httpMethod"`
	Path                            string              `json:"path"`
	PathParameters                  map[string]string   `json:"pathParameters"`
	MultiValueHeaders               map[string][]string `json:"multiValueHeaders"`
	QueryStringParameters           map[string]string   `json:"queryStringParameters"`
	MultiValueQueryStringParameters map[string][]string `json:"multiValueQueryStringParameters"`

	// Schedules.
	Source     string `json:"source"`
	DetailType string `json:"detail-type"`
	Action     string `json:"action"`

	cut []byte // the body, where it was cut out before decoding
}

type requestContext struct {
	DomainName string `json:"domainName"`
	Stage      string `json:"stage"`
	RequestID  string `json:"requestId"`
	Path       string `json:"path"` // payload 1.0: as the client sent it
	HTTP       struct {
		Method   string `json:"method"`
		SourceIP string `json:"sourceIp"`
	} `json:"http"`
	Identity struct {
		SourceIP string `json:"sourceIp"`
	} `json:"identity"`
	ELB *struct {
		TargetGroupARN string `json:"targetGroupArn"`
	} `json:"elb"`
}

// A door is a way by which events come.
type door int

const (
	unknown  door = iota
	payload2      // HTTP API, Function URL
	payload1      // REST API, HTTP API with payload 1.0
	balancer      // Application Load Balancer
	schedule      // EventBridge rule or schedule
)

// parse decodes an event and says by which door it came.
func parse(payload []byte) (*event, door, error) {
	e, err := decode(payload)
	if err != nil {
		return nil, unknown, fmt.Errorf("the event is not understood: %w", err)
	}
	d := e.door()
	if d == unknown {
		return nil, unknown, errors.New(`the event is of no kind that is known here: HTTP API, REST API, Function URL, load balancer, schedule, or {"action": "sweep"}`)
	}
	return e, d, nil
}

func decode(payload []byte) (*event, error) {
	e := new(event)
	rest, body := cutBody(payload)
	err := json.Unmarshal(rest, e)
	if body == nil {
		return e, err
	}
	if e.Body != cutMark {
		*e = event{}
		return e, json.Unmarshal(payload, e)
	}
	e.Body, e.cut = "", body
	return e, err
}

func (e *event) door() door {
	switch {
	case e.RequestContext.ELB != nil:
		return balancer
	case e.Version == "2.0" && e.RequestContext.HTTP.Method != "":
		return payload2
	case e.HTTPMethod != "":
		return payload1
	case e.Source == "aws.events", e.Source == "aws.scheduler", e.DetailType == "Scheduled Event", e.Action == "sweep":
		return schedule
	}
	return unknown
}
