// Asks once before a track, fails open, and reports what became of the offer: what a player does, in Go.
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

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
	authority := flag.String("ca", "", "speak TLS and trust this authority (PEM)")
	click := flag.Bool("click", false, "the listener clicks on the offer")
	flag.Parse()

	transport, err := transportFor(*authority)
	if err != nil { // a wrong setting, before any listener is there
		fmt.Fprintln(os.Stderr, "player:", err)
		os.Exit(1)
	}
	connection, err := grpc.NewClient(*target, grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithTransportCredentials(transport),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: 15 * time.Second, Timeout: 5 * time.Second, PermitWithoutStream: true}))
	if err != nil {
		noAd(err)
		return
	}
	defer connection.Close()
	warmUp(connection, 5*time.Second)
	client := pb.NewDecisionServiceClient(connection)

	ctx, cancel := context.WithTimeout(context.Background(), *deadline)
	defer cancel()
	answer, err := client.Decide(ctx, &pb.DecideRequest{RequestId: rand.Text(), CustomerId: *customer, NextTrackId: *track})
	if err != nil {
		noAd(err)
		return
	}
	fmt.Printf("show=%t reason=%s model=%s\n", answer.GetShow(), answer.GetReason(), answer.GetModelVersion())
	if !answer.GetShow() {
		return
	}
	// Reports go out beside the track, which waits for none of them: the first once the offer is seen, then what the listener does.
	outcomes := []pb.AdEventKind{pb.AdEventKind_AD_EVENT_KIND_IMPRESSION}
	if *click {
		outcomes = append(outcomes, pb.AdEventKind_AD_EVENT_KIND_CLICK)
	}
	var reports sync.WaitGroup
	for _, kind := range outcomes {
		reports.Go(func() { // without a time: it is now, by the service's clock
			report := &pb.ReportOutcomeRequest{OutcomeToken: answer.GetOutcomeToken(), Kind: kind}
			fmt.Printf("reported %s=%t\n", kind, reported(client, report))
		})
	}
	reports.Wait()
}

// Whatever it is: no ad, and the track plays. NOT_ASKED is this player's word, no reason of the service's.
func noAd(err error) {
	fmt.Println("show=false reason=NOT_ASKED error:", err)
}

func transportFor(authority string) (credentials.TransportCredentials, error) {
	if authority == "" {
		return insecure.NewCredentials(), nil
	}
	return credentials.NewClientTLSFromFile(authority, "")
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

// Whether an outcome is with the service. It is told again while that may help; a player that stays for longer keeps it for later, for
// 24 hours from the decision.
func reported(client pb.DecisionServiceClient, report *pb.ReportOutcomeRequest) bool {
	for pause := 100 * time.Millisecond; pause < 2*time.Second; pause *= 4 {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		_, err := client.ReportOutcome(ctx, report)
		cancel()
		switch status.Code(err) {
		case codes.OK:
			return true
		case codes.Unavailable, codes.ResourceExhausted, codes.DeadlineExceeded, codes.Canceled, codes.Internal:
			time.Sleep(pause)
		default: // this report is never taken
			return false
		}
	}
	return false
}
