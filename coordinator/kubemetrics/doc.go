// Package kubemetrics serves figures as external.metrics.k8s.io/v1beta1, the
// API of Kubernetes from which a HorizontalPodAutoscaler reads what is not of
// its own cluster. No adapter and no Prometheus take part: the process that
// knows the figures answers for them.
//
// Kubernetes does not ask it directly. An APIService object tells the API
// server that this group is served elsewhere; it then passes requests on, over
// TLS, as a front proxy: it has authenticated the user and looked up his rights
// to the path, names him in X-Remote-User, and shows a client certificate of
// the cluster's request-header authority. So what an extension must do is to
// make sure that the request comes through the front proxy, which Proxies
// does: whoever has no such certificate is refused. Rights are not looked up a
// second time; nothing here differs between users.
//
// What Kubernetes needs of such an API is little (discovery, one list, errors
// as Status objects), so it is written here and k8s.io/apiserver, some ninety
// modules, is not a dependency.
package kubemetrics
