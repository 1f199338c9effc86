// Asks once before a track, fails open, and reports the impression: what a player does, in Go.
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	pb "example.com/player/interludev1"
)

// Spread over all replicas; ask again only where nobody took the call. Both methods are idempotent.
const serviceConfig = `{
  "loadBalancingConfig": [{"round_robin": {}}],
  "methodConfig": [{
    "name": [{"service": "interlude.v1.DecisionService", "method": "Decide"},
             {"service": "interlude.v1.DecisionService", "method": "ReportOutcome"}],
    "retryPolicy": {"maxAttempts": 3, "initialBackoff": "0.005s", "maxBackoff": "0.05s", "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"]}
  }]
}`

func main() {
	target := flag.String("target", "dns:///127.0.0.1:50051", "the decision service")
	customer := flag.Int64("customer", 42, "who listens")
	track := flag.Int64("track", 7, "what plays next")
	deadline := flag.Duration("deadline", 50*time.Millisecond, "how long the track may wait")
	flag.Parse()

	connection, err := grpc.NewClient(*target, grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: 15 * time.Second, Timeout: 5 * time.Second, PermitWithoutStream: true}))
	if err != nil {
		fmt.Println("show=false reason=NOT_ASKED error:", err)
		return
	}
	defer connection.Close()
	warmUp(connection, 5*time.Second)
	client := pb.NewDecisionServiceClient(connection)

	ctx, cancel := context.WithTimeout(context.Background(), *deadline)
	defer cancel()
	answer, err := client.Decide(ctx, &pb.DecideRequest{RequestId: rand.Text(), CustomerId: *customer, NextTrackId: *track})
	if err != nil { // whatever it is: no ad, and the track plays
		fmt.Println("show=false reason=NOT_ASKED error:", err)
		return
	}
	fmt.Printf("show=%t reason=%s model=%s\n", answer.GetShow(), answer.GetReason(), answer.GetModelVersion())
	if answer.GetShow() {
		report(client, answer.GetOutcomeToken())
	}
}

// Connects before the first track, so that it does not pay for the handshake.
func warmUp(connection *grpc.ClientConn, patience time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	connection.Connect()
	for state := connection.GetState(); state != connectivity.Ready; state = connection.GetState() {
		if state == connectivity.TransientFailure || !connection.WaitForStateChange(ctx, state) {
			return
		}
	}
}

func report(client pb.DecisionServiceClient, token []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	impression := &pb.ReportOutcomeRequest{OutcomeToken: token, Kind: pb.AdEventKind_AD_EVENT_KIND_IMPRESSION}
	_, err := client.ReportOutcome(ctx, impression)
	fmt.Printf("reported=%t\n", err == nil)
}
