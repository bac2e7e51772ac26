// Command promlib answers POST /api/ds/query over one Prometheus with Grafana's own query backend, so that tests can
// ask what a panel would show without a Grafana server.
//
// This file is ours, under the licence of this repository. The library that it imports, github.com/grafana/grafana/
// pkg/promlib, is AGPL-3.0: `deploy/parts` builds the two in the cache of the machine that tests, and the program is a
// test tool only, which nothing of the product imports, bundles or ships.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	sdklog "github.com/grafana/grafana-plugin-sdk-go/backend/log"
	"github.com/grafana/grafana/pkg/promlib"
)

// A query as Grafana's pages send it; the rest of each query is the library's to read.
type asked struct {
	RefID         string `json:"refId"`
	IntervalMS    int64  `json:"intervalMs"`
	MaxDataPoints int64  `json:"maxDataPoints"`
}

type question struct {
	Queries []json.RawMessage `json:"queries"`
	From    int64             `json:"from,string"` // milliseconds since 1970
	To      int64             `json:"to,string"`
}

func (q question) queries() ([]backend.DataQuery, error) {
	if len(q.Queries) == 0 || q.From >= q.To {
		return nil, errors.New("a question needs queries, and from before to, both as milliseconds in quotes")
	}
	var queries []backend.DataQuery
	for _, raw := range q.Queries {
		one := asked{IntervalMS: 1000, MaxDataPoints: 100} // what Grafana takes where a query does not say
		if err := json.Unmarshal(raw, &one); err != nil {
			return nil, err
		}
		queries = append(queries, backend.DataQuery{
			RefID:         one.RefID,
			MaxDataPoints: one.MaxDataPoints,
			Interval:      time.Duration(one.IntervalMS) * time.Millisecond,
			TimeRange:     backend.TimeRange{From: time.UnixMilli(q.From), To: time.UnixMilli(q.To)},
			JSON:          raw,
		})
	}
	return queries, nil
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8419", "where it listens")
	prometheus := flag.String("prometheus", "http://127.0.0.1:9090", "whom it asks")
	interval := flag.String("interval", "15s", "the data source's scrape interval, from which $__rate_interval follows")
	flag.Parse()
	settings, err := json.Marshal(map[string]string{"httpMethod": "POST", "timeInterval": *interval})
	if err != nil {
		log.Fatal(err)
	}
	source := backend.DataSourceInstanceSettings{
		ID: 1, UID: "prometheus", Type: "prometheus", Name: "Prometheus", URL: *prometheus, JSONData: settings,
	}
	service := promlib.NewService(nil, sdklog.DefaultLogger, nil)
	http.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("POST /api/ds/query", func(w http.ResponseWriter, r *http.Request) {
		var q question
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			http.Error(w, fmt.Sprintf("not a question: %v", err), http.StatusBadRequest)
			return
		}
		queries, err := q.queries()
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer, err := service.QueryData(r.Context(), &backend.QueryDataRequest{
			PluginContext: backend.PluginContext{OrgID: 1, DataSourceInstanceSettings: &source},
			Queries:       queries,
		})
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			log.Print(err)
		}
	})
	log.Fatal(http.ListenAndServe(*listen, nil)) //nolint:gosec // loopback, and only while tests run
}
